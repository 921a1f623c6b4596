//! The questions: one for every field of the schema, on a way that leads to it.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};

use super::scene::Scene;

/// A question.
pub(crate) struct Ask {
    /// The line of the table that it belongs to.
    pub(crate) line: String,
    /// The document; the scene fills in `$KEY`, `$CODE`, `$SONG` and `$PLAYER`.
    pub(crate) document: String,
    /// From the data to the field.
    pub(crate) path: Vec<String>,
    /// Whether its answer comes over a socket.
    pub(crate) subscribes: bool,
    /// Whether it changes whoever asks: then somebody new is sent.
    pub(crate) changes: bool,
}

/// Every field of every object of a schema, as `Type.field`.
pub(crate) fn fields(sdl: &str) -> BTreeSet<String> {
    objects(sdl).into_iter().map(|(object, field)| format!("{object}.{}", field.name.node)).collect()
}

/// The questions of the whole table: first those that change nothing.
pub(crate) fn all(sdl: &str, scene: &Scene) -> Vec<Ask> {
    let scalars = scalars(sdl);
    let plain = objects(sdl).into_iter().map(|(object, field)| {
        let name = field.name.node.as_str();
        let selection = match object.as_str() {
            "Mutation" => " { userErrors { code } }",
            _ if scalars.contains(named(&field.ty.node)) => "",
            _ => " { __typename }",
        };
        let asked = format!("{name}{}{selection}", arguments(&object, name, scene));
        ask(format!("{object}.{name}"), way_to(&object), &asked, name)
    });
    let mut all: Vec<Ask> = plain.chain(probes(scene)).collect();
    all.sort_by_key(|ask| ask.changes || ask.subscribes);
    all
}

fn ask(line: String, (way, path): (String, &str), asked: &str, name: &str) -> Ask {
    let steps = path.split_whitespace().chain([name]);
    Ask {
        line,
        document: way.replace('@', asked),
        path: steps.map(str::to_owned).collect(),
        subscribes: way.starts_with("subscription"),
        changes: way.starts_with("mutation"),
    }
}

/// How to come by an object, with `@` where its field is asked; and the names of the fields on the way.
fn way_to(object: &str) -> (String, &'static str) {
    let (way, path) = match object {
        "Query" => ("{ @ }", ""),
        "Mutation" => ("mutation { @ }", ""),
        "Subscription" => ("subscription { @ }", ""),
        "Axis" => ("{ vibe { axes { @ } } }", "vibe axes"),
        "DeadLetter" => ("{ deadLetters { @ } }", "deadLetters"),
        "Explanation" => {
            ("{ recommendations(first: 50) { explanation { @ } } }", "recommendations explanation")
        }
        "FairnessDay" => ("{ roomFairness { days { @ } } }", "roomFairness days"),
        "FairnessFigures" => ("{ roomFairness { days { figures { @ } } } }", "roomFairness days figures"),
        "FairnessWhatIf" => ("{ fairnessWhatIf { @ } }", "fairnessWhatIf"),
        "FairnessWhatIfDay" => ("{ fairnessWhatIf { days { @ } } }", "fairnessWhatIf days"),
        "ZoneFairness" => ("{ roomFairness { @ } }", "roomFairness"),
        "Listener" => ("{ me { @ } }", "me"),
        "NowPlaying" => ("{ nowPlaying { @ } }", "nowPlaying"),
        "OpenHours" => ("{ venue { zones { hours { @ } } } }", "venue zones hours"),
        "PageInfo" => ("{ songs(first: 1) { pageInfo { @ } } }", "songs pageInfo"),
        "Pick" => return mutation("claimNextSong", "pick { @ }", "claimNextSong pick"),
        "Player" => ("{ players { @ } }", "players"),
        "PlayerPlan" => ("{ playerPlan { @ } }", "playerPlan"),
        "PlayerCommand" => ("subscription { playerCommands { @ } }", "playerCommands"),
        "Reason" => (
            "{ recommendations(first: 50) { explanation { reasons { @ } } } }",
            "recommendations explanation reasons",
        ),
        "Recommendation" => ("{ upNext(first: 1) { @ } }", "upNext"),
        "Session" => ("{ me { session { @ } } }", "me session"),
        "Song" => ("{ songs(first: 100) { nodes { @ } } }", "songs nodes"),
        "SongConnection" => ("{ songs(first: 1) { @ } }", "songs"),
        "SongEdge" => ("{ songs(first: 1) { edges { @ } } }", "songs edges"),
        "SyncStatus" => ("{ syncStatus { @ } }", "syncStatus"),
        // Wrong for everybody, so that there is an error to look at.
        "UserError" => (
            "mutation { checkIn(input: { idempotencyKey: \"none\", venueCode: \"\" }) { userErrors { @ } } }",
            "checkIn userErrors",
        ),
        "Venue" => ("{ venue { @ } }", "venue"),
        "Vibe" => ("{ vibe { @ } }", "vibe"),
        "Vote" => ("{ me { votes(first: 1) { nodes { @ } } } }", "me votes nodes"),
        "VoteConnection" => ("{ me { votes(first: 1) { @ } } }", "me votes"),
        "VoteEdge" => ("{ me { votes(first: 1) { edges { @ } } } }", "me votes edges"),
        "Zone" => ("{ venue { zones { @ } } }", "venue zones"),
        "CheckInPayload" => return mutation("checkIn", "@", "checkIn"),
        "CheckOutPayload" => return mutation("checkOut", "@", "checkOut"),
        "ClaimNextSongPayload" => return mutation("claimNextSong", "@", "claimNextSong"),
        "DiscardDeadLetterPayload" => return mutation("discardDeadLetter", "@", "discardDeadLetter"),
        "RetryDeadLetterPayload" => return mutation("retryDeadLetter", "@", "retryDeadLetter"),
        "OrderPlayerPayload" => return mutation("orderPlayer", "@", "orderPlayer"),
        "ReportPlaysPayload" => return mutation("reportPlays", "@", "reportPlays"),
        "ReportPlaybackPayload" => return mutation("reportPlayback", "@", "reportPlayback"),
        "SignInPayload" => return mutation("signIn", "@", "signIn"),
        "VotePayload" => return mutation("vote", "@", "vote"),
        "VoteToSkipPayload" => return mutation("voteToSkip", "@", "voteToSkip"),
        other => panic!("no way to {other}: add one"),
    };
    (way.to_owned(), path)
}

/// A way through a mutation, which tells why it holds nothing.
fn mutation(name: &str, rest: &str, path: &'static str) -> (String, &'static str) {
    (format!("mutation {{ {name}({}) {{ userErrors {{ code }} {rest} }} }}", input(name)), path)
}

/// The input that a mutation is tried with, its placeholders filled in by the scene.
fn input(mutation: &str) -> String {
    let more = match mutation {
        "checkIn" => "venueCode: \"$CODE\"",
        "signIn" => "ticket: \"none\"",
        "vote" => "songId: \"$SONG\", value: LIKE",
        "reportPlayback" => "status: ACTIVE",
        "reportPlays" => "plays: []",
        "orderPlayer" => "playerId: \"$PLAYER\" kind: VOLUME volume: 0.5",
        "retryDeadLetter" | "discardDeadLetter" => "deadLetterId: \"$LETTER\"",
        "checkOut" | "claimNextSong" | "voteToSkip" => "",
        other => panic!("no input for {other}: add one"),
    };
    format!("input: {{ idempotencyKey: \"$KEY\" {more} }}")
}

fn arguments(object: &str, field: &str, scene: &Scene) -> String {
    match (object, field) {
        ("Mutation", mutation) => format!("({})", input(mutation)),
        ("Query", "node") => format!("(id: \"{}\")", scene.song),
        ("Query", "nodes") => format!("(ids: [\"{}\"])", scene.song),
        _ => String::new(),
    }
}

/// What nobody gets by asking for it by name: each by the id of somebody's thing.
fn probes(scene: &Scene) -> Vec<Ask> {
    let mut asks = Vec::new();
    let letter = ("venue", "letter", "$LETTER".to_owned());
    for (whose, what, id) in scene.private_ids().into_iter().chain([letter]) {
        for (field, asked) in
            [("node", format!("node(id: \"{id}\")")), ("nodes", format!("nodes(ids: [\"{id}\"])"))]
        {
            let line = format!("Query.{field}:{what}-of-{whose}");
            asks.push(ask(line, way_to("Query"), &format!("{asked} {{ __typename }}"), field));
        }
    }
    for zone in ["main", "terrace"] {
        for field in ["vibe", "nowPlaying", "upNext", "recommendations"] {
            let asked = format!("{field}(zoneId: \"{}\") {{ __typename }}", scene.zone(zone));
            asks.push(ask(format!("Query.{field}:{zone}"), way_to("Query"), &asked, field));
        }
    }
    asks
}

fn objects(sdl: &str) -> Vec<(String, FieldDefinition)> {
    let document = parse_schema(sdl).unwrap();
    let mut found = Vec::new();
    for definition in document.definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = definition.node.kind
        {
            let name = definition.node.name.node.to_string();
            found.extend(object.fields.into_iter().map(|field| (name.clone(), field.node)));
        }
    }
    found
}

fn scalars(sdl: &str) -> BTreeSet<String> {
    let own = parse_schema(sdl).unwrap().definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => {
            let is_leaf = matches!(definition.node.kind, TypeKind::Scalar | TypeKind::Enum(_));
            is_leaf.then(|| definition.node.name.node.to_string())
        }
        _ => None,
    });
    ["Int", "Float", "String", "Boolean", "ID"].into_iter().map(str::to_owned).chain(own).collect()
}

fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(of) => named(of),
    }
}
