//! When, from where and with what a rule holds.

use document::{Mistake, Node, Place, Section, Value, listed, nearest};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Lowering;
use crate::circumstances::Credential;
use crate::conditions::Conditions;
use crate::network::{InvalidNetwork, Network};
use crate::written::ConditionPlaces;

impl Lowering<'_> {
    /// The keys of a rule that are conditions.
    pub(super) fn conditions(&mut self, rule: &mut Section<'_>) -> (Conditions, ConditionPlaces) {
        let starts = rule.take("starts", self.problems);
        let starts = starts.and_then(|node| node.read("`starts`", self.problems, time));
        let expires = rule.take("expires", self.problems);
        let expires = expires.and_then(|node| node.read("`expires`", self.problems, time));
        let networks = rule.take("networks", self.problems);
        let networks = networks.map_or(Vec::new(), |node| self.networks(node));
        let token = rule.take("token", self.problems);
        let (kind, credentials) = token.map_or((None, Vec::new()), |node| self.token(node));
        if let (Some(starts), Some(expires)) = (&starts, &expires)
            && starts.value >= expires.value
        {
            let mistake = Mistake::new("the rule ends before it starts")
                .label("ends here")
                .also(starts.place, "starts here")
                .help("`starts` is the first moment, `expires` the first one after the last");
            self.problems.at(expires.place, mistake);
        }
        let places = ConditionPlaces { expires: expires.as_ref().map(|it| it.place), kind };
        let conditions = Conditions {
            starts: starts.map(|starts| starts.value),
            expires: expires.map(|expires| expires.value),
            networks,
            credentials,
        };
        (conditions, places)
    }

    fn networks(&mut self, node: &Node) -> Vec<Network> {
        let items = self.list(node, "`networks`", false);
        let networks = items.iter().filter_map(|item| {
            item.read("a network", self.problems, |text| {
                text.parse().map_err(|error: InvalidNetwork| {
                    let help = match &error {
                        InvalidNetwork::HostBits(network) => format!("write `{network}`"),
                        InvalidNetwork::Syntax => {
                            "a network has up to 32 bits, with `:` up to 128; a name is none"
                                .to_owned()
                        }
                    };
                    Mistake::of(&error).about(&format!("`{text}`")).help(help)
                })
            })
        });
        networks.map(|network| network.value).collect()
    }

    /// The kinds of credential, and where they are listed.
    fn token(&mut self, node: &Node) -> (Option<Place>, Vec<Credential>) {
        if let (Value::Text(_) | Value::List(_), Some(mistake)) =
            (&node.value, node.refusal("`token`", "a map"))
        {
            let items = if let Value::List(items) = &node.value { items.as_slice() } else { &[] };
            let texts = std::iter::once(node).chain(items).filter_map(|it| match &it.value {
                Value::Text(text) => credential(text).ok(),
                _ => None,
            });
            let mut kinds: Vec<_> = texts.map(Credential::as_str).collect();
            if kinds.is_empty() {
                kinds.push("service");
            }
            let help = format!("write `token: {{kind: [{}]}}`", kinds.join(", "));
            self.problems.at(node.place, mistake.help(help));
            return (None, Vec::new());
        }
        let Some(mut section) = node.section("`token`", self.problems) else {
            return (None, Vec::new());
        };
        let kinds = section.take("kind", self.problems);
        let lacks_kind = section.lacks("kind");
        let misspelt = section.finish(self.problems);
        if lacks_kind && !misspelt.contains(&"kind") {
            let mistake = Mistake::new("`token` asks for nothing");
            self.problems.at(node.place, mistake.help("write `token: {kind: [service]}`"));
        }
        let Some(list) = kinds else { return (None, Vec::new()) };
        let items = self.list(list, "`kind`", false);
        let kinds = items
            .iter()
            .filter_map(|item| item.read("a kind of credential", self.problems, credential));
        (Some(list.place), kinds.map(|kind| kind.value).collect())
    }
}

pub(crate) fn credential(text: &str) -> Result<Credential, Mistake> {
    let words = Credential::ALL.map(Credential::as_str);
    Credential::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
        let help = match nearest(text, words) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("kinds are {}", listed(&words)),
        };
        Mistake::new(format!("unknown kind of credential `{text}`")).help(help)
    })
}

/// A moment: RFC 3339 with its offset, or a date, which is its 00:00 UTC.
pub(crate) fn time(text: &str) -> Result<Timestamp, Mistake> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-01-01".len()
        && let Ok(midnight) = date.to_zoned(TimeZone::UTC)
    {
        return Ok(midnight.timestamp());
    }
    text.parse::<Timestamp>().map_err(|_| {
        let help = if text.parse::<Zoned>().is_ok() || text.parse::<Date>().is_ok() {
            "times need their offset from UTC: `2026-12-24T18:00:00Z`, `2026-12-24T18:00:00+01:00`"
        } else {
            "write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`"
        };
        Mistake::new(format!("`{text}` is no time")).help(help)
    })
}
