"""What findings of the assignment rules say; translated where they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.events.terms import Reason
from shared.i18n import N_

WORDS: Final[Mapping[str, str]] = {
    "general": N_("General: a junior engineer, directly by the service centre (R20)"),
    "important": N_("Important: a senior engineer, and a supervisor who guides (R21)"),
    "urgent": N_("Urgent: the emergency group at once, its leader accountable (R22)"),
    "unlisted_region": N_("Region {region} is not listed; {answering} answers for it"),
    "step_substitute": N_("Asked first: the substitute"),
    "step_team": N_("Asked first: team {team}"),
    "step_centre": N_("From the service centre of the city"),
    "step_region": N_("Looked for in the whole of region {region}: nobody of the centre in {city} is better"),
    "step_default_region": N_("Looked for in region {region}, which stands in for others"),
    "step_group": N_("From the emergency group of region {region}"),
    "passed_substitute": N_("The substitute cannot: wider"),
    "passed_team": N_("Nobody of team {team} can: wider"),
    "passed_region": N_("Nobody of region {region} can: wider"),
    "passed_default_region": N_("Nobody of region {region}, which stands in for others, can"),
    "passed_group": N_("Nobody of the emergency group of region {region} can: wider"),
    "duty_lead_decides": N_("The duty lead owns it and decides"),
    "took_back_general": N_("Made room by taking back general work that had not begun"),
    "took_back_important": N_("Made room by taking back important work that had not begun"),
    "taken_for_urgent": N_("Taken back for urgent work"),
    "inactive": N_("Not active"),
    "other_region": N_("Does not work in region {region}"),
    "other_product_line": N_("Does not know product line {product_line}"),
    "lacks_skills": N_("Lacks the skills {skills}"),
    "lacks_certificate": N_("Has no certificate for {skills}"),
    "certificate_expires": N_("The certificate for {skills} is not good until the work is done"),
    "below_tier": N_("Below the tier that is needed"),
    "declined": N_("Declined this ticket before"),
    "blocked": N_("The customer asked not to be sent this person"),
    "full": N_("Has as many open tickets as allowed: {count}"),
    "away": N_("Away until {until}"),
    "busy": N_("At another customer's until {until}"),
    "off_shift": N_("Not on shift long enough for the work"),
    "same_city": N_("In the city of the site"),
    "other_city": N_("In another city: {city}"),
    "distance": N_("About {km} km of road"),
    "open_tickets": N_("Open tickets: {count}"),
    "over_qualified": N_("More qualified than needed: only if nobody else passes"),
    "leads_group": N_("Leads the group: goes only if none of its experts can"),
    "late": N_("Would arrive after the promised time"),
    "late_by": N_("Would be {minutes} min late"),
    "late_by_hours": N_("Would be {hours} h late"),
    "appointment_lapses": N_("Nobody can at the time that was agreed: another one has to be"),
    "waits": N_("Can begin at {at}"),
    "familiar": N_("Was at this customer's before"),
    "versed": N_("Worked on this very product before"),
    "preferred": N_("The customer prefers this person"),
    "by_hand": N_("By hand: {reason}"),
    "despite": N_("Chosen in spite of this: {objection}"),
    "expert_helps": N_("Second level: an expert helps; engineer and owner stay as they are"),
    "duty_lead_helps": N_("Second level: no expert can help now; who answers for the region finds one"),
    "expert_takes_over": N_("Second level: an expert takes it over, and owns it from now on"),
    "keeps_engineer": N_("Another severity: the engineer at work stays"),
}
"""What a finding says."""


DESPITE: Final = "despite_"
"""Before the key of an objection that somebody knew and overruled."""


def said(rule: str, facts: Mapping[str, Any], tell: Callable[[str], str] = str) -> str:
    """What a finding says; `tell` translates."""
    if rule.startswith(DESPITE):
        objection = said(rule.removeprefix(DESPITE), facts, tell)
        return tell(WORDS["despite"]).format(objection=objection)
    return tell(WORDS[rule]).format(**facts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule found: the key of `WORDS` and what to put into it; `cost` is what it counted."""

    rule: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def reason(self) -> Reason:
        """For the world, in English."""
        return Reason(rule=self.rule, because=said(self.rule, self.facts)[:1000])

    def overruled(self) -> Finding:
        """The same as an objection that somebody knew and overruled."""
        return Finding(f"{DESPITE}{self.rule}", self.facts)
