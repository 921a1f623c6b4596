//! The questions: one for every field of the schema, on a way that leads to it.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};

/// A question.
pub(crate) struct Ask {
    /// The line of the table that it belongs to.
    pub(crate) line: String,
    /// The document; the scene fills in what begins with `$`.
    pub(crate) document: String,
    /// From the data to the field.
    pub(crate) path: Vec<String>,
    /// Whether its answer comes as a stream.
    pub(crate) subscribes: bool,
    /// Whether it changes something: then it is something new each time.
    pub(crate) changes: bool,
}

/// Every field of every object of a schema, as `Type.field`.
pub(crate) fn fields(sdl: &str) -> BTreeSet<String> {
    objects(sdl).into_iter().map(|(object, field)| format!("{object}.{}", field.name.node)).collect()
}

/// The questions of the whole table: first those that change nothing.
pub(crate) fn all(sdl: &str) -> Vec<Ask> {
    let scalars = scalars(sdl);
    let plain = objects(sdl).into_iter().map(|(object, field)| {
        let name = field.name.node.as_str();
        let selection = match object.as_str() {
            "Mutation" => " { userErrors { code } }",
            _ if scalars.contains(named(&field.ty.node)) => "",
            _ => " { __typename }",
        };
        let asked = format!("{name}{}{selection}", arguments(&object, name));
        ask(&object, &asked, name)
    });
    let mut all: Vec<Ask> = plain.collect();
    all.sort_by_key(|ask| ask.changes || ask.subscribes);
    all
}

fn ask(object: &str, asked: &str, name: &str) -> Ask {
    let (way, path) = way_to(object);
    Ask {
        line: format!("{object}.{name}"),
        document: way.replace('@', asked),
        path: path.split_whitespace().chain([name]).map(str::to_owned).collect(),
        subscribes: way.starts_with("subscription"),
        changes: way.starts_with("mutation"),
    }
}

/// Objects that have an id: they are asked for by it.
const NODES: [&str; 13] = [
    "AuditEntry",
    "DeadLetter",
    "HistoryExport",
    "Hub",
    "Organisation",
    "Play",
    "Player",
    "PlayerPairing",
    "Song",
    "SongUpload",
    "User",
    "Venue",
    "Zone",
];

/// How to come by an object, with `@` where its field is asked; and the names of the fields on the way.
fn way_to(object: &str) -> (String, String) {
    if NODES.contains(&object) {
        return (format!("{{ node(id: \"${object}\") {{ ... on {object} {{ @ }} }} }}"), "node".to_owned());
    }
    if let Some(payload) = object.strip_suffix("Payload") {
        let mutation = format!("{}{}", payload[..1].to_lowercase(), &payload[1..]);
        return (
            format!("mutation {{ {mutation}({}) {{ userErrors {{ code }} @ }} }}", input(&mutation)),
            mutation,
        );
    }
    let of_venue = |inside: &str| format!("{{ node(id: \"$Venue\") {{ ... on Venue {{ {inside} }} }} }}");
    let of_zone =
        |inside: &str| format!("{{ node(id: \"$Zone\") {{ ... on Zone {{ settings {{ {inside} }} }} }} }}");
    let in_zone = |inside: &str| format!("{{ node(id: \"$Zone\") {{ ... on Zone {{ {inside} }} }} }}");
    let of_hub = |inside: &str| format!("{{ node(id: \"$Hub\") {{ ... on Hub {{ {inside} }} }} }}");
    let (way, path) = match object {
        "Query" => ("{ @ }".to_owned(), ""),
        "Mutation" => ("mutation { @ }".to_owned(), ""),
        "Subscription" => ("subscription { @ }".to_owned(), ""),
        "Axis" => ("{ node(id: \"$Song\") { ... on Song { axes { @ } } } }".to_owned(), "node axes"),
        "ZoneSettings" => (of_zone("@"), "node settings"),
        "Licence" => (of_venue("licence { @ }"), "node licence"),
        "Schedule" => (of_zone("schedule { @ }"), "node settings schedule"),
        "OpeningHours" => (of_zone("schedule { hours { @ } }"), "node settings schedule hours"),
        "Daypart" => (of_zone("schedule { dayparts { @ } }"), "node settings schedule dayparts"),
        "ZoneFairness" => (in_zone("fairness { @ }"), "node fairness"),
        "FairnessFigures" => (in_zone("fairness { now { @ } }"), "node fairness now"),
        "ZoneRoom" => (in_zone("room { @ }"), "node room"),
        "OpenHours" => (in_zone("room { hours { @ } }"), "node room hours"),
        "RoomPlaying" => (in_zone("room { nowPlaying { @ } }"), "node room nowPlaying"),
        "Vibe" => (in_zone("room { vibe { @ } }"), "node room vibe"),
        "FairnessDay" => (in_zone("fairness { days { @ } }"), "node fairness days"),
        "Member" => (of_venue("members { @ }"), "node members"),
        "AuditEntryConnection" => (of_venue("auditLog { @ }"), "node auditLog"),
        "AuditEntryEdge" => (of_venue("auditLog { edges { @ } }"), "node auditLog edges"),
        "DeadLetterConnection" => (of_hub("deadLetters { @ }"), "node deadLetters"),
        "DeadLetterEdge" => (of_hub("deadLetters { edges { @ } }"), "node deadLetters edges"),
        "PlayConnection" => (of_venue("history { @ }"), "node history"),
        "PlayEdge" => (of_venue("history { edges { @ } }"), "node history edges"),
        "SongConnection" => (of_venue("songs { @ }"), "node songs"),
        "SongEdge" => (of_venue("songs { edges { @ } }"), "node songs edges"),
        "PageInfo" => (of_venue("songs { pageInfo { @ } }"), "node songs pageInfo"),
        "VenueAnalytics" => (of_venue("analytics(range: $RANGE) { @ }"), "node analytics"),
        "AnalyticsPoint" => (of_venue("analytics(range: $RANGE) { series { @ } }"), "node analytics series"),
        "SongPlays" => (of_venue("analytics(range: $RANGE) { topSongs { @ } }"), "node analytics topSongs"),
        "SongUploadConnection" => ("{ songUploads(organisationId: \"$Organisation\") { @ } }".to_owned(), "songUploads"),
        "SongUploadEdge" => {
            ("{ songUploads(organisationId: \"$Organisation\") { edges { @ } } }".to_owned(), "songUploads edges")
        }
        "UploadTarget" => ("{ songUpload(id: \"$SongUpload\") { target { @ } } }".to_owned(), "songUpload target"),
        "HttpHeader" => {
            ("{ songUpload(id: \"$SongUpload\") { target { headers { @ } } } }".to_owned(), "songUpload target headers")
        }
        "UploadRefusal" => {
            ("{ songUpload(id: \"$RefusedUpload\") { refusal { @ } } }".to_owned(), "songUpload refusal")
        }
        "UploadPart" => ("{ songUploadParts(uploadId: \"$SongUpload\") { @ } }".to_owned(), "songUploadParts"),
        "VenueConnection" => ("{ venues { @ } }".to_owned(), "venues"),
        "VenueEdge" => ("{ venues { edges { @ } } }".to_owned(), "venues edges"),
        // Wrong for everybody, so that there is an error to look at.
        "UserError" => (
            "mutation { renameHub(input: { idempotencyKey: \"$KEY\", id: \"none\", name: \"x\" }) { userErrors { @ } } }"
                .to_owned(),
            "renameHub userErrors",
        ),
        other => panic!("no way to {other}: add one"),
    };
    (way, path.to_owned())
}

/// The input that a mutation is tried with, its placeholders filled in by the scene.
fn input(mutation: &str) -> String {
    let more = match mutation {
        "createVenue" => {
            "name: \"New\", slug: \"$SLUG\", timeZone: \"UTC\", organisationId: \"$Organisation\""
        }
        "updateVenue" => "id: \"$Venue\", penaltyHours: 9",
        "archiveVenue" | "unarchiveVenue" => "id: \"$Venue\"",
        "createZone" | "createHubEnrolment" => "venueId: \"$Venue\", name: \"new\"",
        "updateZone" => "id: \"$Zone\", name: \"other\"",
        "archiveZone" => "id: \"$Zone\"",
        "addMember" => "venueId: \"$Venue\", email: \"$EMAIL\", role: STAFF",
        "changeMemberRole" => "venueId: \"$Venue\", userId: \"$User\", role: STAFF",
        "removeMember" => "venueId: \"$Venue\", userId: \"$User\"",
        "renameHub" => "id: \"$Hub\", name: \"other\"",
        "revokeHub" => "id: \"$Hub\"",
        "updatePlayer" => "id: \"$Player\", name: \"other\", volumePercent: 40",
        "revokePlayer" => "id: \"$Player\"",
        "createPlayerPairing" => "hubId: \"$Hub\", name: \"new\"",
        "cancelPlayerPairing" => "id: \"$PlayerPairing\"",
        "updateSong" => "id: \"$Song\", title: \"other\"",
        "withdrawSong" | "restoreSong" => "id: \"$Song\"",
        "assignSongs" | "unassignSongs" => "songIds: [\"$Song\"], venueIds: [\"$Venue\"]",
        "createSongUpload" => {
            "venueId: \"$Venue\", filename: \"a.flac\", contentType: \"audio/flac\", bytes: 9, sha256: \"$SHA256\""
        }
        "finaliseSongUpload" | "cancelSongUpload" => "id: \"$SongUpload\"",
        "createCheckInTicket" | "openGuestPage" | "closeGuestPage" => "venueId: \"$Venue\"",
        "retryDeadLetter" | "discardDeadLetter" => "id: \"$DeadLetter\"",
        "createHistoryExport" => "venueId: \"$Venue\", range: $RANGE",
        other => panic!("no input for {other}: add one"),
    };
    format!("input: {{ idempotencyKey: \"$KEY\", {more} }}")
}

fn arguments(object: &str, field: &str) -> String {
    match (object, field) {
        ("Mutation", mutation) => format!("({})", input(mutation)),
        ("Query", "node" | "venue") => "(id: \"$Venue\")".to_owned(),
        ("Query", "song") => "(id: \"$Song\")".to_owned(),
        ("Query", "songUpload") | ("Subscription", "songUploadUpdated") => "(id: \"$SongUpload\")".to_owned(),
        ("Query", "songUploads") | ("Subscription", "songUploadsUpdated") => {
            "(organisationId: \"$Organisation\")".to_owned()
        }
        ("Query", "songUploadParts") => "(uploadId: \"$SongUpload\")".to_owned(),
        ("Query", "nodes") => "(ids: [\"$Venue\"])".to_owned(),
        ("Subscription", "fleetStatus") => "(venueIds: [\"$Venue\"])".to_owned(),
        ("Subscription", "exportUpdated") => "(id: \"$HistoryExport\")".to_owned(),
        ("Venue", "analytics") => "(range: $RANGE)".to_owned(),
        _ => String::new(),
    }
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
