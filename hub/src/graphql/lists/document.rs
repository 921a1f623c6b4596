//! Random documents that ask for lists in every way that GraphQL knows: aliases, fragments named and inline, the same
//! field several times, things skipped and included.

use std::fmt::Write as _;

use roomtone_schema::seed::Seeded;

/// How deep fragments may lie in one another.
const DEEP: u32 = 3;

struct Type {
    name: &'static str,
    leaves: &'static [&'static str],
    objects: &'static [(&'static str, &'static Type)],
    /// What a fragment may be on; an interface knows the first leaf only.
    interface: Option<&'static str>,
}

const AXIS: Type = Type { name: "Axis", leaves: &["name", "value"], objects: &[], interface: None };
const REASON: Type = Type { name: "Reason", leaves: &["code", "value"], objects: &[], interface: None };
const EXPLANATION: Type = Type {
    name: "Explanation",
    leaves: &["score", "similarity", "penalty", "lastPlayedAt", "restsUntil"],
    objects: &[("reasons", &REASON)],
    interface: None,
};
const SONG: Type = Type {
    name: "Song",
    leaves: &[
        "id",
        "title",
        "artist",
        "album",
        "durationMs",
        "bpm",
        "key",
        "kind",
        "loudnessLufs",
        "explicit",
        "color",
        "isCached",
        "mediaUrl",
        "viewerVote",
    ],
    objects: &[("axes", &AXIS)],
    interface: Some("Node"),
};
const EDGE: Type =
    Type { name: "SongEdge", leaves: &["cursor"], objects: &[("node", &SONG)], interface: None };
const PAGE_INFO: Type = Type {
    name: "PageInfo",
    leaves: &["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"],
    objects: &[],
    interface: None,
};
const SONGS: Type = Type {
    name: "SongConnection",
    leaves: &["totalCount"],
    objects: &[("nodes", &SONG), ("edges", &EDGE), ("pageInfo", &PAGE_INFO)],
    interface: None,
};
const RECOMMENDATION: Type = Type {
    name: "Recommendation",
    leaves: &["rank"],
    objects: &[("song", &SONG), ("explanation", &EXPLANATION)],
    interface: None,
};

struct Writer {
    chance: Seeded,
    fragments: Vec<String>,
}

/// The document of a seed; always a valid one. Its variables are `$yes` and `$no`.
pub(super) fn random(seed: u64) -> String {
    let mut writer = Writer { chance: Seeded::new(seed), fragments: Vec::new() };
    let subscribed = writer.one_in(5);
    // The engine puts a field that has to wait behind those that do not, so what waits is asked for alone.
    let ranked = !subscribed && writer.one_in(5);
    let roots = if subscribed || ranked { 1 } else { 1 + writer.below(3) };
    let used = "used: rank @include(if: $yes) unused: rank @include(if: $no)";
    let mut body = String::new();
    if !subscribed {
        body += " venue { name @include(if: $yes) id @include(if: $no) }";
    }
    for _ in 0..roots {
        let root = match (subscribed, ranked) {
            (true, _) => format!(" upNext(first: 6) {{{} {used} }}", writer.set(&RECOMMENDATION, 0)),
            (_, true) => format!(" recommendations(first: 7) {{{} }}", writer.set(&RECOMMENDATION, 0)),
            _ => writer.root(),
        };
        body += &root;
    }
    let kind = if subscribed { "subscription" } else { "query" };
    let mut document = format!("{kind}($yes: Boolean!, $no: Boolean!) {{{body} }}");
    for (number, fragment) in writer.fragments.iter().enumerate() {
        let _ = write!(document, " fragment f{number} {fragment}");
    }
    document
}

impl Writer {
    fn below(&mut self, n: u64) -> u64 {
        self.chance.next_u64() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn root(&mut self) -> String {
        if self.one_in(4) {
            return format!(" upNext(first: 6) {{{} }}", self.set(&RECOMMENDATION, 0));
        }
        self.songs()
    }

    /// With and without a name of its own: fields under one key must have the same arguments.
    fn songs(&mut self) -> String {
        let (alias, arguments) = match self.below(4) {
            0 => ("few: ", "(first: 2)"),
            1 => ("none: ", "(filter: { search: \"nothing has this\" })"),
            2 => ("sorted: ", "(last: 9, orderBy: { field: TITLE, direction: DESC })"),
            _ => ("", "(first: 14)"),
        };
        format!(" {alias}songs{arguments} {{{} }}", self.set(&SONGS, 0))
    }

    /// A selection set: at least one field.
    fn set(&mut self, of: &Type, depth: u32) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(5) {
            text += &match self.below(10) {
                0 if depth < DEEP => self.inline(of, depth),
                1 if depth < DEEP => self.spread(of, depth),
                _ => self.field(of, depth),
            };
        }
        text
    }

    fn field(&mut self, of: &Type, depth: u32) -> String {
        let directive = self.directive();
        if self.one_in(12) {
            return format!(" __typename{directive}");
        }
        let both = (of.leaves.len() + of.objects.len()) as u64;
        let chosen = self.below(both) as usize;
        let alias = if self.one_in(8) { ["a_", "b_"][self.below(2) as usize] } else { "" };
        let named = |name: &str| {
            if alias.is_empty() { name.to_owned() } else { format!("{alias}{name}: {name}") }
        };
        if let Some(leaf) = of.leaves.get(chosen) {
            return format!(" {}{directive}", named(leaf));
        }
        let (name, inside) = of.objects[chosen - of.leaves.len()];
        format!(" {}{directive} {{{} }}", named(name), self.set(inside, depth))
    }

    fn inline(&mut self, of: &Type, depth: u32) -> String {
        let directive = self.directive();
        match (self.below(3), of.interface) {
            (0, _) => format!(" ...{directive} {{{} }}", self.set(of, depth + 1)),
            (1, Some(interface)) => {
                format!(" ... on {interface}{directive} {{ __typename {} }}", of.leaves[0])
            }
            _ => format!(" ... on {}{directive} {{{} }}", of.name, self.set(of, depth + 1)),
        }
    }

    fn spread(&mut self, of: &Type, depth: u32) -> String {
        let directive = self.directive();
        let fragment = match of.interface {
            Some(interface) if self.one_in(3) => format!("on {interface} {{ {} }}", of.leaves[0]),
            _ => format!("on {} {{{} }}", of.name, self.set(of, depth + 1)),
        };
        let number = self.fragments.len();
        self.fragments.push(fragment);
        let again = if self.one_in(4) { format!(" ...f{number}") } else { String::new() };
        format!(" ...f{number}{directive}{again}")
    }

    fn directive(&mut self) -> &'static str {
        match self.below(24) {
            0 => " @skip(if: true)",
            1 => " @skip(if: $no)",
            2 => " @include(if: $yes)",
            3 => " @include(if: $no)",
            _ => "",
        }
    }
}
