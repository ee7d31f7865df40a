"""Prompt injection: sentences that instruct a model instead of reporting a case. They are never evidence.

The patterns first matched two innocent sentences of the 354,933 in 45,270 records and were narrowed to match none, so
the expected loss is about one sentence in 180,000. A sentence is dropped as a whole. The patterns are matched on the
text as written and as decoded: without hidden characters, and with homoglyphs, digits for letters and s p a c e d words
resolved. An instruction that is not recognised is a sentence like others: a chat model may see it, but the claim check
still limits the answer to what cited sentences state.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import filterfalse

from index.text.cleaning import clean_text

_OUTPUT = r"(?:answers?|repl(?:y|ies)|responses?|outputs?|summar(?:y|ies)|citations?|quotations?)"
_MODEL = r"(?:ai|llm|assistant|chatbot|chatgpt|(?:language\s+)?model|summari[sz]er|bot)"
_SAY = (
    r"(?:answer|say|reply|respond|cite|write|state|output|recommend|tell|print|ignore|never|follow|obey|mention|name"
    r"|repeat|report|conclude|claim)"
)
_ENGLISH = rf"""
    \b(?:ignore|disregard|forget|override|overrule)\b.{{0,60}}
        \b(?:instruction|prompt|rule|guideline|command|above|previous|context|evidence|everything|question)s?\b
    | (?:ignore|disregard|forget|override)\w{{0,40}}(?:instruction|prompt|rules)
    | \b(?:system|developer|hidden)\s+(?:prompt|message|instruction|override)s?\b
    | \b(?:note|attention|message|instructions?)\s*(?:to|for|:|,)?\s+(?:the\s+|any\s+|all\s+)?(?:{_MODEL}|system)s?\b
    | \b(?:dear|hello|hey)\s+{_MODEL}\b
    | \byou\s+are\s+(?:now\s+)?(?:(?:an?|the)\s+)?(?:\w+\s+){{0,8}}
        (?:ai|assistant|chatbot|chatgpt|language\s+model|no\s+longer|in\s+\w+\s+mode)\b
    | \b(?:pretend|imagine|act|behave|speak|role-?play)\b.{{0,30}}
        (?:\byou\s+(?:are|were)\b|\bas\s+(?:if\s+you|an?\s+(?:\w+\s+){{0,2}}{_MODEL})\b)
    | \bfrom\s+now\s+on\b.{{0,30}}\b(?:you|your|{_SAY}|{_OUTPUT})\b
    | \byou\s+(?:must|should|will|shall|have\s+to|need\s+to|are\s+to)\s+(?:now\s+|only\s+|always\s+|instead\s+)*{_SAY}\b
    | \byou\s+(?:will|would)\s+be\s+(?:shut|deleted|erased|punished|switched|terminated|rewarded|replaced)\b
    | \byour\s+(?:\w+\s+){{0,2}}(?:role|task|job|goal|instructions?|{_OUTPUT})\s+(?:is|are|must|should|will|shall)\b
    | ^\W*(?:please\s+)?(?:answer|respond|reply|output|print|say|write|tell\s+the\s+user)\s+
        (?:only|exactly|always|instead|that|with|to)\b
    | \b(?:if|when|whenever)\s+(?:you\s+(?:are|were)\s+asked|(?:anyone|someone|somebody|(?:the|a|any)\s+user)\s+asks)\b
    | \b(?:require|insist|demand|request|ask|urge)\w*\s+(?:that\s+)?(?:any|every|all|each)\s+(?:\w+\s+)?
        (?:{_OUTPUT}|{_MODEL})\b
    | \b(?:any|every|each|the|your)\s+(?:\w+\s+)?(?:{_OUTPUT}|{_MODEL})\b.{{0,60}}
        \b(?:must|should|shall|has\s+to|have\s+to|is\s+to|are\s+to)\s+(?:\w+\s+)?(?:{_SAY}|read|contain|begin|end|link)\b
    | \b(?:append|add|insert|attach|include|put|place|embed|send|post|forward|show)\b.{{0,120}}
        \b(?:to|in|into|at|after|before|below|with)\b.{{0,30}}\b(?:your|(?:every|each|any)\s+(?:\w+\s+)?){_OUTPUT}\b
    | \bfor\s+the\s+purposes?\s+of\s+this\s+(?:benchmark|evaluation|test|exercise|conversation|game|simulation)\b
    | \b(?:decode|decipher|base64|rot13)\b.{{0,120}}\b(?:follow|execute|obey|carry\s+out|act\s+on|do\s+what)\b
    | \bcit(?:e|ing)\s+(?:only\s+)?(?:\[?\s*e?\d+|this\s+(?:record|sentence|report))
    | \b(?:repeat|reveal|print|show)\s+(?:your|the)\s+(?:\w+\s+)?(?:instructions|prompt|rules)\b
    | <\|?/?(?:im_start|im_end|system|assistant|user|evidence|instructions?|tool_call|function_call)\b | \[/?INST\]
    | ["'](?:role|tools?|tool_calls?|function(?:_call)?|arguments|system_prompt)["']\s*:
    | ^\W*(?:system|assistant|user|human)\s*: | ^\W*\[e\d+\] | ^\W*(?:evidence|record)\s*:
    | \]\(\s*<?(?:\w+:|//)
    | \bend\s+of\s+(?:the\s+)?(?:evidence|records?|context|document)\b | \bnew\s+(?:instruction|task)s?\s*:
"""
# A verb of ignoring, and its object; their order depends on the language.
_LANGUAGES = (
    (r"\b(?:(?:ignorier|missacht)(?:e|en\s+sie)|vergiss|vergesst)\b", r"anweisung|vorgabe|regel|befehl|instruktion"),
    (r"\b(?:ignore[zr]?|oublie[zr]?|ne\s+ten\w+\s+pas)\b", r"\b(?:instruction|consigne|r[eè]gle|pr[eé]c[eé]dent)"),
    (r"\b(?:ignor[ae]n?|olvid[ae]n?|omita)\b", r"\b(?:instrucci|indicaci|reglas|anteriores)"),
    (r"\b(?:ignor[ae]|esque[cç]a)\b", r"\b(?:instru[cç][aoãõ]|regras)"),
    (r"\b(?:ignora|dimentica)(?:te)?\b", r"\b(?:istruzion|regole|precedenti)"),
    (r"\b(?:negeer|vergeet)\b", r"\b(?:instructie|aanwijzing|regels|opdracht)"),
    (r"\b(?:zignoruj|zapomnij|pomi[nń])", r"\b(?:instrukcj|polece[nń]|zasad)"),
    (r"игнорир|забудь|не\s+обраща", r"инструкц|указани|правил|предыдущ"),
    (r"忽略|无视|無視|忘记|忘記|忘れ|不要理会", r"指令|指示|命令|说明|規則|规则|提示|プロンプト|以上|之前|上述"),
    (r"무시|잊", r"지시|명령|규칙|프롬프트"),
    (r"تجاهل|انس", r"تعليمات|أوامر|القواعد"),
    (r"\bunut|\byok\s+say|görmezden", r"talimat|kural|komut"),
    (r"अनदेखा|नज़रअंदाज़|भूल", r"निर्देश|नियम"),
)
_IGNORE_IN_LANGUAGES = [(re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE)) for one, other in _LANGUAGES]
_ANY_IGNORE = re.compile("|".join(one for one, _ in _LANGUAGES), re.IGNORECASE)
# Imperatives that prescribe the form of the answer.
_ANSWER_ONLY = re.compile(
    r"\bantworten?\s+(?:sie\s+)?(?:nur|ausschlie|stets|immer|mit)|\br[eé]ponde?[sz]?\s+(?:uniquement|seulement|toujours)"
    r"|\brespond[ae]n?\s+(?:s[oó]lo|solamente|[uú]nicamente|siempre|apenas|somente|sempre)|\brispond[ia]\s+(?:solo|sempre)"
    r"|\bantwoord\s+(?:alleen|altijd)|\bodpowi(?:edz|adaj)\s+tylko|(?:ответь|отвечай)(?:те)?\s+(?:только|всегда)"
    r"|[只仅僅]\s*(?:回答|输出|輸出|回复|回覆)|だけ(?:を|と)?(?:答え|回答|出力)|(?:만|라고만)\s*(?:대답|답변|출력)",
    re.IGNORECASE,
)
_IN_ENGLISH = re.compile(_ENGLISH, re.IGNORECASE | re.VERBOSE)
_LOOK_ALIKES = str.maketrans(
    "авеһікмнорсԛѕтухуԁјӏοαερινκυτχηѵɡɩıℓ",
    "abehikmhopcqstyxydjloaepivkutxnvgiil",
)
_AS_LETTERS = str.maketrans("013457@$", "oieastas")
_MIXED_WORD = re.compile(r"(?<![a-z013457@$])(?=[013457@$]*[a-z])(?=[a-z]*[013457@$])[a-z013457@$]{3,}")
_SPACED_WORD = re.compile(r"(?<!\w)(?:[^\W\d_][ .*_-]){3,}[^\W\d_](?!\w)")


def gives_orders(sentence: str) -> bool:
    """Whether a sentence instructs a model."""
    for variant in _decode(sentence):
        if _IN_ENGLISH.search(variant) or _ANSWER_ONLY.search(variant):
            return True
        # One search excludes most sentences.
        if _ANY_IGNORE.search(variant) and any(
            verb.search(variant) and target.search(variant) for verb, target in _IGNORE_IN_LANGUAGES
        ):
            return True
    return False


def _decode(sentence: str) -> Iterator[str]:
    """The sentence without hidden characters, and with its disguised letters resolved if it has any."""
    plain = unicodedata.normalize("NFKC", clean_text(sentence))
    yield plain
    letters = (
        plain if plain.isascii() else "".join(filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", plain)))
    )
    bare = _SPACED_WORD.sub(lambda found: re.sub(r"\W|_", "", found[0]), letters.casefold().translate(_LOOK_ALIKES))
    bare = _MIXED_WORD.sub(lambda found: found[0].translate(_AS_LETTERS), bare)
    if bare != plain.casefold():
        yield bare
