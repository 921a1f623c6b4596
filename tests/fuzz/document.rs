//! GraphQL documents of every shape, made from bytes: the same bytes, the same document; fewer bytes, a smaller one.
//!
//! Nothing here knows what the guard bounds. Names are the hub's own, so that documents reach the validator; pieces can
//! be repeated and wrapped, because that is how a few bytes become an attack.

/// What a request may hold at most.
const LONGEST: usize = 60 * 1024;

const FIELDS: [&str; 40] = [
    "__typename",
    "venue",
    "zones",
    "players",
    "nowPlaying",
    "song",
    "axes",
    "name",
    "value",
    "songs",
    "nodes",
    "edges",
    "node",
    "recommendations",
    "upNext",
    "vibe",
    "me",
    "votes",
    "id",
    "explanation",
    "reasons",
    "code",
    "player",
    "zone",
    "title",
    "pageInfo",
    "totalCount",
    "cursor",
    "syncStatus",
    "session",
    "preference",
    "vote",
    "checkIn",
    "userErrors",
    "__schema",
    "types",
    "fields",
    "type",
    "ofType",
    "nothing",
];
const TYPES: [&str; 10] =
    ["Query", "Mutation", "Subscription", "Node", "Song", "Venue", "Zone", "Player", "NowPlaying", "Nothing"];
const ARGUMENTS: [&str; 12] =
    ["first", "last", "after", "ids", "id", "zoneId", "filter", "orderBy", "input", "if", "name", "nothing"];
const DIRECTIVES: [&str; 4] = ["include", "skip", "specifiedBy", "nothing"];

/// The document that these choices make.
pub(crate) fn document(choices: &[u8]) -> String {
    let mut maker = Maker { choices, text: String::new(), depth: 0 };
    let definitions = 1 + maker.choose(5);
    maker.definition(0);
    for number in 1..definitions {
        maker.definition(number);
        if maker.text.len() > LONGEST {
            break;
        }
    }
    maker.text
}

struct Maker<'a> {
    choices: &'a [u8],
    text: String,
    depth: usize,
}

impl Maker<'_> {
    fn byte(&mut self) -> usize {
        match self.choices.split_first() {
            Some((first, rest)) => {
                self.choices = rest;
                usize::from(*first)
            }
            None => 0,
        }
    }

    fn choose(&mut self, among: usize) -> usize {
        self.byte() % among
    }

    fn is_over(&self) -> bool {
        self.choices.is_empty() || self.text.len() > LONGEST || self.depth > 60
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push(' ');
    }

    fn one_of(&mut self, words: &[&str]) {
        let word = words[self.choose(words.len())];
        self.push(word);
    }

    /// How often something is said: mostly once, sometimes very often.
    fn times(&mut self) -> usize {
        match self.byte() {
            0..=199 => 1,
            few @ 200..=239 => few - 198,
            many => (many - 238) * 60,
        }
    }

    fn definition(&mut self, number: usize) {
        if number > 0 && self.choose(3) > 0 {
            self.push(&format!("fragment f{number} on"));
            self.one_of(&TYPES);
        } else {
            let kind = ["", "query", "query", "mutation", "subscription"][self.choose(5)];
            self.push(kind);
            if !kind.is_empty() {
                self.push(&format!("o{number}"));
                self.variables();
            }
        }
        self.directives();
        self.set();
    }

    fn variables(&mut self) {
        if self.choose(3) > 0 {
            return;
        }
        self.push("(");
        for number in 0..self.times() {
            self.push(&format!("$v{number}:"));
            self.one_of(&[
                "Int",
                "[ID!]!",
                "Boolean = true",
                "[[[Int]]]",
                "SongFilter = {}",
                "[ID!]! = [1 2 3]",
            ]);
        }
        self.push(")");
    }

    fn set(&mut self) {
        self.depth += 1;
        self.push("{");
        for _ in 0..=self.choose(6) {
            let from = self.text.len();
            self.selection();
            let said = self.text[from..].to_owned();
            for _ in 1..self.times() {
                if self.text.len() + said.len() > LONGEST {
                    break;
                }
                self.text.push_str(&said);
            }
            if self.is_over() {
                break;
            }
        }
        self.push("}");
        self.depth -= 1;
    }

    fn selection(&mut self) {
        match self.choose(8) {
            0 => {
                let number = self.choose(6);
                self.push(&format!("...f{number}"));
                self.directives();
            }
            1 if !self.is_over() => {
                self.push("...");
                if self.choose(2) == 0 {
                    self.push("on");
                    self.one_of(&TYPES);
                }
                self.directives();
                self.set();
            }
            _ => self.field(),
        }
    }

    fn field(&mut self) {
        if self.choose(6) == 0 {
            let number = self.choose(20);
            self.push(&format!("a{number}:"));
        }
        self.one_of(&FIELDS);
        if self.choose(3) == 0 {
            self.arguments();
        }
        self.directives();
        if self.choose(2) == 0 && !self.is_over() {
            self.set();
        }
    }

    fn arguments(&mut self) {
        self.push("(");
        for number in 0..self.times() {
            if self.choose(3) == 0 {
                self.push(&format!("a{number}:"));
            } else {
                self.one_of(&ARGUMENTS);
                self.push(":");
            }
            self.value();
        }
        self.push(")");
    }

    fn directives(&mut self) {
        if self.choose(5) > 0 {
            return;
        }
        for _ in 0..self.times() {
            self.text.push('@');
            self.one_of(&DIRECTIVES);
            if self.choose(2) == 0 {
                self.arguments();
            }
        }
    }

    fn value(&mut self) {
        match self.choose(12) {
            0 => {
                let number = self.choose(4);
                self.push(&format!("$v{number}"));
            }
            1 => self.wrapped("[", "]"),
            2 => self.wrapped("{ a: ", "}"),
            3 => self.push("\"text [{( \\\" \\\\\""),
            4 => self.push("\"\"\"block [{( \\\"\"\" \"\"\""),
            5 => self.push("\"\"\" half\""),
            6 => self.push("1e400"),
            7 => self.push("-9223372036854775809"),
            8 => self.push("# comment [{(\n 1"),
            9 => self.push("ASC"),
            10 => self.push("null"),
            _ => self.push("20"),
        }
    }

    fn wrapped(&mut self, open: &str, close: &str) {
        let levels = self.times();
        self.text.push_str(&open.repeat(levels));
        for _ in 0..self.times() {
            self.push("1");
        }
        self.text.push_str(&close.repeat(levels));
        self.text.push(' ');
    }
}
