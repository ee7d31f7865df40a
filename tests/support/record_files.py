"""The same invented report in every format, and functions that write files of records."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from index import Record, Rejection, read_records

XML_HEAD = (
    '<?xml version="1.0" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n'
)
XML_ARTICLE = """<PubmedArticle>
  <MedlineCitation Status="MEDLINE"><PMID Version="1">9900001</PMID>
    <Article PubModel="Print">
      <Journal><Title>Annals of Invented Cases</Title><ISOAbbreviation>Ann Inv Cases</ISOAbbreviation>
        <JournalIssue><Volume>12</Volume><PubDate><MedlineDate>2019 Mar-Apr</MedlineDate></PubDate></JournalIssue>
      </Journal>
      <ArticleTitle>Hiccups after <i>Allium</i> syrup: a case report.</ArticleTitle>
      <Pagination><StartPage>31</StartPage><EndPage>4</EndPage><MedlinePgn>31-4</MedlinePgn></Pagination>
      <ELocationID EIdType="doi" ValidYN="Y">10.5555/wrong.place</ELocationID>
      <Abstract>
        <AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">Onion syrup is thought
          harmless.</AbstractText>
        <AbstractText Label="CASE PRESENTATION">A cook of 52 years drank 10&#xa0;ml and hiccuped
          for 3 days (p &lt; 0.05).</AbstractText>
        <CopyrightInformation>Nobody.</CopyrightInformation>
      </Abstract>
      <AuthorList CompleteYN="Y">
        <Author ValidYN="Y"><LastName>Orr</LastName><ForeName>Ann B</ForeName><Initials>AB</Initials></Author>
        <Author ValidYN="N"><LastName>Misspelt</LastName><ForeName>Ann</ForeName></Author>
        <Author ValidYN="Y"><LastName>Ek</LastName><ForeName>Bo</ForeName></Author>
        <Author ValidYN="Y"><CollectiveName>Syrup Study Group</CollectiveName></Author>
      </AuthorList>
      <PublicationTypeList><PublicationType UI="D002363">Case Reports</PublicationType>
        <PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList>
    </Article>
    <MedlineJournalInfo><MedlineTA>Ann Inv Cases</MedlineTA></MedlineJournalInfo>
  </MedlineCitation>
  <PubmedData>
    <ArticleIdList><ArticleId IdType="pubmed">9900001</ArticleId><ArticleId IdType="doi">10.5555/aic.31</ArticleId>
      <ArticleId IdType="pmc">PMC990001</ArticleId></ArticleIdList>
    <ReferenceList><Reference><ArticleIdList><ArticleId IdType="pmc">PMC1</ArticleId>
      <ArticleId IdType="doi">10.5555/cited</ArticleId></ArticleIdList></Reference></ReferenceList>
  </PubmedData>
</PubmedArticle>
"""
MEDLINE = """
PMID- 9900001
OWN - NLM
VI  - 12
DP  - 2019 Mar-Apr
TI  - Hiccups after Allium syrup: a case
      report.
PG  - 31-4
LID - S555 [pii]
AB  - BACKGROUND: Onion syrup is thought harmless. CASE PRESENTATION: A cook of 52
      years drank 10 ml and hiccuped for 3 days (p < 0.05).
FAU - Orr, Ann B
AU  - Orr AB
FAU - Ek, Bo
AU  - Ek B
CN  - Syrup Study Group
PT  - Case Reports
PT  - Journal Article
TA  - Ann Inv Cases
JT  - Annals of Invented Cases
PMC - PMC990001
AID - 10.5555/aic.31 [doi]
SO  - Ann Inv Cases. 2019 Mar-Apr;12:31-4.
"""
RIS = """TY  - JOUR
DB  - PubMed
AN  - 9900001
TI  - Hiccups after Allium syrup: a case report.
AU  - Orr, Ann B
AU  - Ek, Bo
AU  - Syrup Study Group
T2  - Annals of Invented Cases
JA  - Ann Inv Cases
PY  - 2019/03//
VL  - 12
SP  - 31
EP  - 4
DO  - https://doi.org/10.5555/AIC.31
C2  - PMC990001
M3  - Case Reports
M3  - Journal Article
AB  - BACKGROUND: Onion syrup is thought harmless.
AB  - CASE PRESENTATION: A cook of 52 years drank 10 ml
  and hiccuped for 3 days (p < 0.05).
ER  -
"""
ROW = {
    "PubMed ID": "9900001",
    "Title": "Hiccups after Allium syrup: a case report.",
    "Author(s)": "Orr, Ann B; Ek, Bo; Syrup Study Group",
    "Source title": "Annals of Invented Cases",
    "Publication Year": "2019",
    "Volume": "12",
    "Page start": "31",
    "Page end": "4",
    "DOI": "10.5555/aic.31",
    "PMCID": "PMC990001",
    "Document Type": "Case Reports; Journal Article",
    "Abstract": "BACKGROUND: Onion syrup is thought harmless.\nCASE PRESENTATION: A cook of 52 years drank 10 ml and "
    "hiccuped for 3 days (p < 0.05).",
    "Sticker": '=HYPERLINK("http://x")',
}


def xml(*articles: str) -> str:
    return f"{XML_HEAD}<PubmedArticleSet>\n{''.join(articles)}</PubmedArticleSet>\n"


def article(number: int, abstract: str = "A weaver of 44 years sneezed for a week.", more: str = "") -> str:
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{number}</PMID><Article><ArticleTitle>Case {number}</ArticleTitle>"
        f"<Abstract><AbstractText>{abstract}</AbstractText></Abstract></Article>{more}</MedlineCitation>"
        "</PubmedArticle>\n"
    )


def table(*rows: dict[str, str], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


EUROPE_PMC = {
    "id": "9900001",
    "source": "MED",
    "pmid": "9900001",
    "pmcid": "PMC990001",
    "doi": "10.5555/aic.31",
    "title": "Hiccups after <i>Allium</i> syrup: a case report.",
    "authorString": "Orr AB, Ek B, Syrup Study Group.",
    "authorList": {
        "author": [
            {"fullName": "Orr AB", "firstName": "Ann B", "lastName": "Orr", "initials": "AB"},
            {"fullName": "Ek B", "firstName": "Bo", "lastName": "Ek", "initials": "B"},
            {"collectiveName": "Syrup Study Group"},
        ]
    },
    "journalInfo": {"volume": "12", "yearOfPublication": 2019, "journal": {"title": "Annals of Invented Cases"}},
    "pubYear": "2019",
    "pageInfo": "31-4",
    "abstractText": "<h4>Background</h4>Onion syrup is thought harmless. <h4>Case presentation</h4>A cook of 52 years "
    "drank 10 ml and hiccuped for 3 days (p &lt; 0.05).",
    "pubTypeList": {"pubType": ["Case Reports", "Journal Article"]},
    "isOpenAccess": "Y",
}
SEMANTIC_SCHOLAR: dict[str, object] = {
    "paperId": "649def34f8be52c8b66281af98ae884c09aef38b",
    "externalIds": {"DOI": "10.5555/aic.31", "PubMed": "9900001", "PubMedCentral": "990001", "CorpusId": 7},
    "title": "Hiccups after Allium syrup: a case report.",
    "abstract": ROW["Abstract"],
    "venue": "Ann. Inv. Cases",
    "year": 2019,
    "authors": [
        {"authorId": "1", "name": "Ann B Orr"},
        {"authorId": None, "name": "Bo Ek"},
        {"name": "Syrup Study Group"},
    ],
    "journal": {"name": "Annals of Invented Cases", "volume": "12", "pages": "31-4"},
    "publicationTypes": ["CaseReport", "JournalArticle"],
    "publicationDate": "2019-03-01",
    "isOpenAccess": True,
    "openAccessPdf": {"url": "https://example.org/31.pdf"},
}
BULK = {name.lower(): value for name, value in SEMANTIC_SCHOLAR.items() if name != "paperId"} | {
    "corpusid": 7,
    "externalids": {**SEMANTIC_SCHOLAR["externalIds"], "ArXiv": None},
}
BIBTEX = r"""% Encoding: UTF-8
@string{aic = {Annals of Invented Cases}}

@Article{Orr2019,
  author        = {Orr, Ann B and Ek, Bo and {Syrup Study Group}},
  title         = {{H}iccups after {\emph{Allium}} syrup: a case report.},
  journal       = aic,
  year          = 2019,
  volume        = "12",
  pages         = {31--4},
  doi           = {10.5555/aic.31},
  pmid          = {9900001},
  pmcid         = {PMC990001},
  document_type = {Case Reports},
  type          = {Article},
  abstract      = {BACKGROUND: Onion syrup is thought harmless. CASE PRESENTATION: A cook of 52 years
                   drank 10~ml and hiccuped for 3 days ($p < 0.05$).},
}

@comment{jabref-meta: databaseType:bibtex;}
""".replace("Case Reports}", "Case Reports; Journal Article}")
SAMPLES = {
    "xml": xml(XML_ARTICLE),
    "europe-pmc": json.dumps({"version": "6.9", "hitCount": 1, "resultList": {"result": [EUROPE_PMC]}}, indent=1),
    "europe-pmc-line": json.dumps(EUROPE_PMC),
    "semantic-scholar": json.dumps({"total": 1, "offset": 0, "data": [SEMANTIC_SCHOLAR]}),
    "semantic-scholar-bulk": json.dumps(BULK),
    "bib": BIBTEX,
    "nbib": MEDLINE,
    "ris": RIS,
    "csv": table(ROW),
    "tsv": table(ROW, delimiter="\t"),
    "semicolons": table(ROW, delimiter=";"),
}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def read(*paths: Path) -> tuple[list[Record], list[Rejection]]:
    items = list(read_records(paths))
    return [item for item in items if isinstance(item, Record)], [item for item in items if isinstance(item, Rejection)]


def pmids(records: list[Record]) -> list[str | None]:
    return [record.pmid for record in records]


def medline(number: int, abstract: str = "A weaver of 44 years sneezed for a week.") -> str:
    return f"PMID- {number}\nTI  - Case {number}\nAB  - {abstract}\n"


def ris(number: int, abstract: str = "A weaver of 44 years sneezed for a week.") -> str:
    return f"TY  - JOUR\nID  - {number}\nDB  - PubMed\nAN  - {number}\nAB  - {abstract}\nER  - \n"


def bibtex(number: int, abstract: str = "A weaver of 44 years sneezed for a week.") -> str:
    return f"@article{{k{number},\n  pmid = {number},\n  abstract = {{{abstract}}},\n}}\n"


# A given number of entries with a given abstract, in each format.
MANY = {
    "json": lambda count, abstract: json.dumps([{"pmid": n, "abstract": abstract} for n in range(1, count + 1)]),
    "jsonl": lambda count, abstract: "".join(
        json.dumps({"pmid": n, "abstract": abstract}) + "\n" for n in range(1, count + 1)
    ),
    "xml": lambda count, abstract: xml(*(article(n, abstract) for n in range(1, count + 1))),
    "nbib": lambda count, abstract: "\n".join(medline(n, abstract) for n in range(1, count + 1)),
    "ris": lambda count, abstract: "".join(ris(n, abstract) for n in range(1, count + 1)),
    "bib": lambda count, abstract: "".join(bibtex(n, abstract) for n in range(1, count + 1)),
    "csv": lambda count, abstract: table(*({"pmid": str(n), "abstract": abstract} for n in range(1, count + 1))),
}
