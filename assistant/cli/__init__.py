"""The command line: ask, chat, serve, index, feedback, evaluate, doctor."""
