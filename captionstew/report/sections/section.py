"""A section of the page."""

from dataclasses import dataclass

from captionstew.report.html import Child, Html, element, paragraph


@dataclass(frozen=True)
class Section:
    """Its name in the address, its heading, one sentence that says what was found, and the rest."""

    name: str
    heading: str
    lead: Child
    body: Html

    def html(self, number: int) -> Html:
        """As it stands on the page, under its number."""
        digit = element("span", str(number), class_="ordinal", aria_hidden="true")
        head = element("h2", digit, self.heading, id=f"{self.name}-heading")
        return element(
            "section",
            head,
            paragraph(self.lead, class_="lead"),
            self.body,
            id=self.name,
            aria_labelledby=f"{self.name}-heading",
        )


def missing(text: Child) -> Html:
    """Says what is not there, and how one would come by it."""
    return paragraph(text, class_="note")


def shares(what: str, unit: str) -> Html:
    """Says what p5, p50 and p95 are."""
    return paragraph(
        f"p5, p50, p95: 5 %, half and 95 % of the {what} that many {unit} or fewer.", class_="note"
    )
