//! What is marked `@shared` never looks at who asks: every field of every marked type is executed, and none may ask.
//!
//! Derived from the schema's own text, so a new type or field is looked at without anybody thinking of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Executor, Positioned, Request, Response, Schema};
use futures_util::StreamExt as _;
use roomtone_schema::vote::VoteValue;
use roomtone_server::answer;
use roomtone_server::caller::{Asker, Caller, Class, Visit};
use roomtone_server::listener::rows::EngineOnly;
use serde_json::Value;

use crate::hub::tests::venue::Venue;

/// A field as the schema's text has it.
struct Field {
    of: String,
    shared: bool,
    per_viewer: bool,
    /// Can be asked for without arguments.
    plain: bool,
}

/// The object types with their fields, and which are marked `@shared`.
#[derive(Default)]
struct Types {
    objects: BTreeMap<String, BTreeMap<String, Field>>,
    shared: BTreeSet<String>,
}

impl Types {
    fn of(sdl: &str) -> Self {
        let mut types = Self::default();
        for definition in parse_schema(sdl).unwrap().definitions {
            let TypeSystemDefinition::Type(ty) = definition else { continue };
            let TypeKind::Object(object) = ty.node.kind else { continue };
            let name = ty.node.name.node.to_string();
            if marked(&ty.node.directives, "shared") {
                types.shared.insert(name.clone());
            }
            types.objects.insert(name, object.fields.iter().map(|field| described(&field.node)).collect());
        }
        types
    }

    /// For every object type, how it is reached from the root of queries.
    fn paths(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut paths = BTreeMap::from([("Query", Vec::new())]);
        let mut next = VecDeque::from(["Query"]);
        while let Some(ty) = next.pop_front() {
            for (name, field) in self.objects[ty].iter().filter(|(_, field)| field.plain) {
                if self.objects.contains_key(&field.of) && !paths.contains_key(field.of.as_str()) {
                    let longer = paths[ty].iter().copied().chain([name.as_str()]).collect();
                    paths.insert(&field.of, longer);
                    next.push_back(&field.of);
                }
            }
        }
        paths
    }

    /// What to select on a value of this type.
    fn selection(&self, ty: &str) -> &'static str {
        if self.objects.contains_key(ty) { " { __typename }" } else { "" }
    }
}

fn described(field: &FieldDefinition) -> (String, Field) {
    fn innermost(ty: &Type) -> String {
        match &ty.base {
            BaseType::Named(name) => name.to_string(),
            BaseType::List(of) => innermost(of),
        }
    }
    let arguments = field.arguments.iter().map(|argument| &argument.node);
    let plain =
        arguments.clone().all(|argument| argument.ty.node.nullable || argument.default_value.is_some());
    let (shared, per_viewer) = (marked(&field.directives, "shared"), marked(&field.directives, "perViewer"));
    (field.name.node.to_string(), Field { of: innermost(&field.ty.node), shared, per_viewer, plain })
}

fn marked(directives: &[Positioned<ConstDirective>], with: &str) -> bool {
    directives.iter().any(|directive| directive.node.name.node == with)
}

/// What a schema does with the viewer where it must not know any.
#[derive(Debug, Default, PartialEq)]
struct Findings {
    /// Fields whose resolvers asked who asks, or whose answers differ by who does.
    ask: Vec<String>,
    /// Fields that no query here reaches, so nobody knows.
    unreached: Vec<String>,
}

/// Executes every field of every shared type for nobody in particular, and for `somebody`.
async fn look<E: Executor>(schema: &E, sdl: &str, somebody: Caller) -> Findings {
    let types = Types::of(sdl);
    let paths = types.paths();
    let mut findings = Findings::default();
    for ty in &types.shared {
        for (name, field) in types.objects[ty].iter().filter(|(_, field)| !field.per_viewer) {
            let at = format!("{ty}.{name}");
            let Some(path) = paths.get(ty.as_str()) else {
                findings.unreached.push(at);
                continue;
            };
            let asked = format!("{name}{}", types.selection(&field.of));
            let query = path.iter().rev().fold(asked, |below, step| format!("{step} {{ {below} }}"));
            let (answer, reads) = for_nobody(schema, &format!("{{ {query} }}")).await;
            if path.iter().copied().chain([name.as_str()]).try_fold(&answer["data"], below).is_none() {
                findings.unreached.push(format!("{at}: {answer}"));
            }
            let request = Request::new(format!("{{ {query} }}")).data(Asker::one(somebody, Visit::default()));
            let theirs = sent(&schema.execute(request).await);
            if reads > 0 || theirs != answer {
                findings.ask.push(at);
            }
        }
    }
    for (name, field) in types.objects["Subscription"].iter().filter(|(_, field)| field.shared) {
        let query = format!("subscription {{ {name}{} }}", types.selection(&field.of));
        let reads = Arc::new(AtomicUsize::new(0));
        let request = Request::new(query).data(Asker::everybody(Class::Anonymous, Arc::clone(&reads)));
        let first = schema.execute_stream(request, None).next().await;
        if first.is_none_or(|first| !first.errors.is_empty()) {
            findings.unreached.push(format!("Subscription.{name}"));
        }
        if reads.load(Ordering::Relaxed) > 0 {
            findings.ask.push(format!("Subscription.{name}"));
        }
    }
    findings
}

/// The answer, and how often a resolver asked who asks, or a row of a list that is written without resolvers.
async fn for_nobody<E: Executor>(schema: &E, query: &str) -> (Value, usize) {
    let reads = Arc::new(AtomicUsize::new(0));
    let request = || Request::new(query).data(Asker::everybody(Class::Anonymous, Arc::clone(&reads)));
    let answer = sent(&schema.execute(request()).await);
    assert_eq!(answer, sent(&schema.execute(request().data(EngineOnly)).await), "{query}");
    (answer, reads.load(Ordering::Relaxed))
}

/// What the transports would send.
fn sent(response: &Response) -> Value {
    serde_json::from_slice(&answer::bytes(response)).unwrap()
}

/// What is one step below a value, or below the first of a list; null counts as reached where the step is the last.
fn below<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Array(list) => list.first()?.get(step),
        value => value.get(step),
    }
}

#[tokio::test]
async fn nothing_that_is_shared_asks_who_asks() {
    let venue = Venue::with_songs(3).await;
    let player = venue.player("bar").await;
    let viewer = venue.check_in("ana").await;
    for song in venue.songs.iter().copied() {
        venue.vote(&viewer, song, VoteValue::Like).await.unwrap();
    }
    venue.claim(player.player.id).await;
    venue.hub.settle().await;

    let schema = super::schema(venue.hub.clone(), &roomtone_server::front::FrontSettings::default());
    let findings = look(&schema, &schema.sdl(), Caller::Listener(viewer)).await;
    assert_eq!(findings, Findings::default(), "mark what looks at the viewer @perViewer");
}

/// A schema that gets it wrong, so that the test above is known to see it.
mod wrong {
    use async_graphql::{Context, EmptyMutation, Object, Subscription};
    use futures_util::stream;
    use roomtone_server::caller::Asker;
    use roomtone_server::listener::{per_viewer, shared};

    use super::Schema;

    pub(super) struct Query;

    #[Object]
    impl Query {
        async fn song(&self) -> Song {
            Song
        }

        async fn songs(&self) -> Vec<Song> {
            vec![Song]
        }

        async fn nothing(&self) -> Option<Gone> {
            None
        }
    }

    pub(super) struct Song;

    #[Object(directive = shared::apply())]
    impl Song {
        async fn title(&self) -> &'static str {
            "one for all"
        }

        #[graphql(directive = per_viewer::apply())]
        async fn marked_vote(&self, ctx: &Context<'_>) -> String {
            format!("{:?}", Asker::caller(ctx))
        }

        async fn vote(&self, ctx: &Context<'_>) -> String {
            format!("{:?}", Asker::caller(ctx))
        }

        async fn looks_away(&self, ctx: &Context<'_>) -> bool {
            let _address = Asker::visit(ctx).address;
            true
        }
    }

    pub(super) struct Gone;

    #[Object(directive = shared::apply())]
    impl Gone {
        async fn name(&self) -> bool {
            true
        }
    }

    pub(super) struct Subscription_;

    #[Subscription(name = "Subscription")]
    impl Subscription_ {
        #[graphql(directive = shared::apply())]
        async fn mine(&self, ctx: &Context<'_>) -> impl futures_util::Stream<Item = bool> + use<> {
            stream::iter([Asker::caller(ctx) == roomtone_server::caller::Caller::Manager])
        }
    }

    pub(super) fn schema() -> Schema<Query, EmptyMutation, Subscription_> {
        Schema::new(Query, EmptyMutation, Subscription_)
    }
}

#[tokio::test]
async fn who_asks_all_the_same_is_found() {
    let schema = wrong::schema();
    let findings = look(&schema, &schema.sdl(), Caller::Manager).await;
    assert_eq!(findings.ask, ["Song.looksAway", "Song.vote", "Subscription.mine"]);
    assert_eq!(findings.unreached.len(), 1, "{:?}", findings.unreached);
    assert!(findings.unreached[0].starts_with("Gone.name"), "{:?}", findings.unreached);
}
