import re
def split_sentences(text):
    out=[];s=0
    for m in re.finditer(r'(?<=[.!?])\s+(?=[A-Z])',text):
        if text[s:m.start()].strip(): out.append((s,m.start()))
        s=m.end()
    e=len(text.rstrip())
    if e>s: out.append((s,e))
    return out
