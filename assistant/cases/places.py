"""The setting of care and the country, in the record's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.cases.ages import is_in_general
from assistant.cases.clauses import Span
from assistant.reading.sentences import Sentence

_COUNTRIES = (
    "Afghanistan|Albania|Algeria|Angola|Argentina|Armenia|Australia|Austria|Azerbaijan|Bahrain|Bangladesh|"
    "Belarus|Belgium|Benin|Bolivia|Bosnia|Botswana|Brazil|Bulgaria|Burkina Faso|Burundi|Cambodia|Cameroon|Canada|"
    "Chad|Chile|China|Colombia|Congo|Costa Rica|Croatia|Cuba|Cyprus|Czech Republic|Denmark|Djibouti|"
    "Dominican Republic|Ecuador|Egypt|El Salvador|England|Eritrea|Estonia|Ethiopia|Fiji|Finland|France|Gabon|"
    "Gambia|Germany|Ghana|Greece|Guatemala|Haiti|Honduras|Hong Kong|Hungary|Iceland|India|Indonesia|Iran|Iraq|"
    "Ireland|Israel|Italy|Ivory Coast|Jamaica|Japan|Jordan|Kazakhstan|Kenya|Korea|Kosovo|Kuwait|Laos|Latvia|"
    "Lebanon|Liberia|Libya|Lithuania|Luxembourg|Macedonia|Madagascar|Malawi|Malaysia|Mali|Malta|Mauritania|"
    "Mexico|Moldova|Mongolia|Montenegro|Morocco|Mozambique|Myanmar|Namibia|Nepal|the Netherlands|New Zealand|"
    "Nicaragua|Niger|Nigeria|Norway|Oman|Pakistan|Palestine|Panama|Paraguay|Peru|Poland|Portugal|Qatar|Romania|"
    "Russia|Rwanda|Saudi Arabia|Scotland|Senegal|Serbia|Sierra Leone|Singapore|Slovakia|Slovenia|Somalia|"
    "South Africa|Spain|Sri Lanka|Sudan|Sweden|Switzerland|Syria|Taiwan|Tanzania|Thailand|Togo|Tunisia|Turkey|"
    "Uganda|Ukraine|United Kingdom|United States(?: of America)?|USA|UK|Uruguay|Uzbekistan|Venezuela|Vietnam|"
    "Wales|Yemen|Zambia|Zimbabwe"
)
_NAMED = r"(?:[A-Z][\w'’.-]+\s+(?:(?:of|and|for|the|de|del)\s+)*)*"
_KIND = (
    r"(?:(?:tertiary|secondary|primary|university|teaching|general|psychiatric|rural|district|community|regional|local"
    r"|referral|specialist|private|military|children['’]s|maternity|pediatric|paediatric|orthopa?edic|dermatology"
    r"|oncology|outpatient|eye|dental|surgical|medical|neurology|rheumatology|care)\s+)"
)
_CARE = re.compile(
    rf"\b(?:(?:{_NAMED}|{_KIND}*)(?:(?:(?:neonatal|coronary|cardiac|neuro|medical"
    rf"|surgical)\s+)?intensive\s+care(?:\s+unit)?|coronary\s+care\s+unit|"
    r"(?:accident\s+and\s+)?emergency\s+(?:department|room|unit|service|center|centre)|burns?\s+(?:unit|center|centre)|"
    r"nursing\s+home|hospice)"
    rf"|{_KIND}+(?:hospital|clinic|centre|center|department|ward|outpatients)\b"
    r"|(?:[A-Z][\w'’.-]+\s+)(?:(?:(?:of|and|for|the)\s+)*[A-Z][\w'’.-]+\s+)*(?:Hospital|Infirmary|Clinic"
    r"|Medical\s+Cent(?:er|re))(?:\s+(?:of|in)\s+(?:[A-Z]\w+\s?)+(?<!\s))?|(?:N|P|S|M)?ICUs?|operating\s+(?:room"
    r"|theat(?:er|re)))\b"
)
_IS_CARED_FOR = re.compile(
    r"\b(?:admi\w+|presented|referred|brought|came|taken|seen|transferred|hospitali[sz]ed|treated|managed|visited"
    r"|attended|evaluated|consulted|reached|entered|rushed|carried|arrived|sent|kept|cared|stay\w*|in)\b",
    re.IGNORECASE,
)
_COUNTRY = re.compile(
    rf"\b(?:in|from|of)\s+(?P<place>(?:(?:[Nn]orth|[Ss]outh|[Ee]ast|[Ww]est)(?:ern|east|west)?(?:ern)?\s+"
    rf"|[Cc]entral\s+|[Rr]ural\s+|[A-Z][a-z]+,\s+)?(?:{_COUNTRIES}))\b(?!\s*(?:disease|fever|pig|virus))"
)
_TRAVELS = re.compile(
    r"\b(?:travel\w*|return\w*|trip\w*|visit\w*|holiday\w*|vacation\w*|journey\w*|born|originat\w*|emigrat\w*"
    r"|immigrat\w*|import\w*|endemic|common|outbreak\w*|epidemic\w*|pandemic\w*|descent|first\s+appear\w*|population"
    r"|people|patients)\b[^,;]{0,50}$",
    re.IGNORECASE,
)


def find_setting(sentences: Sequence[Sentence]) -> list[Span]:
    """The first place of care and the first country that the sentences name for the patient."""
    of_case = [sentence for sentence in sentences if not is_in_general(sentence)]
    care = next((span for sentence in of_case for span in _find_care(sentence)), None)
    country = next((span for sentence in of_case for span in _find_country(sentence)), None)
    return [span for span in (care, country) if span and not (span is country and care and span.text in care.text)]


def _find_care(sentence: Sentence) -> Iterator[Span]:
    for match in _CARE.finditer(sentence.text):
        if _IS_CARED_FOR.search(sentence.text[: match.start()]):
            yield Span(sentence, *match.span())


def _find_country(sentence: Sentence) -> Iterator[Span]:
    for match in _COUNTRY.finditer(sentence.text):
        if not _TRAVELS.search(sentence.text[: match.start()]):
            yield Span(sentence, *match.span("place"))
