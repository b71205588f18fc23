//! The description in OpenAPI's form is that of the router: route by route, and answer by answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use squall_client::http::{Access, Route};

use crate::redis::{MINUTE, Redis, quick};
use crate::stage::{Answer, Data, Stage};

const METHODS: [&str; 6] = ["get", "post", "delete", "put", "patch", "options"];

async fn description(stage: &Stage) -> Value {
    stage.ask("GET", "/openapi.json").await.with(200)
}

/// The methods and paths that are described.
fn described(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().expect("paths");
    let methods = |(path, item): (&String, &Value)| {
        let methods: Vec<String> = item.as_object().expect("an item").keys().cloned().collect();
        methods.into_iter().map(|method| (path.clone(), method)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let Some(redis) = Redis::start().await else { return };
    for everything in [true, false] {
        let told = redis.session_client(1, &quick());
        let stage = Stage::with(told, |routes| if everything { routes.allow_clear() } else { routes }).await;
        let described = described(&description(&stage).await);
        let there = Route::ALL.into_iter().filter(|route| everything || *route != Route::Clear);
        let named = there.map(|route| (route.path().to_owned(), route.method().as_str().to_lowercase()));
        assert_eq!(described, named.collect(), "the table and the description differ");
        // And the router itself has what is described, with and without the slash, and no other method.
        for path in described.iter().map(|(path, _)| path) {
            for method in METHODS {
                let known = described.contains(&(path.clone(), method.to_owned()));
                for path in [path.as_str(), path.trim_end_matches('/')] {
                    let path = path.replace("{id}", "s");
                    let answer = stage.ask(&method.to_uppercase(), &path).await;
                    let absent = answer.status == 405 || (answer.status == 404 && answer.body.is_empty());
                    assert_eq!(absent, !known, "{method} {path}: {answer:?}");
                }
            }
        }
    }
}

/// Fails unless an answer is one of those that the description has for that route.
fn fits(description: &Value, route: Route, answer: &Answer) {
    let method = route.method().as_str().to_lowercase();
    let response = &description["paths"][route.path()][method]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{route:?}: {} is not described: {answer:?}", answer.status);
    let content = response["content"].as_object().expect("content");
    let (content_type, content) = content.iter().next().expect("one type");
    assert_eq!(answer.header("content-type"), content_type, "{route:?}");
    let found = if route == Route::Metrics { Value::from(answer.body.as_str()) } else { answer.json() };
    let mut schema = content["schema"].clone();
    schema["components"] = description["components"].clone();
    let validator = jsonschema::validator_for(&closed(schema)).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&found).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{route:?}: {errors:?}: {found}");
}

/// The same schema, but that a property which it does not name is an error.
fn closed(schema: Value) -> Value {
    match schema {
        Value::Object(mut members) => {
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.into_iter().map(|(name, member)| (name, closed(member))).collect()
        }
        Value::Array(items) => items.into_iter().map(closed).collect(),
        plain => plain,
    }
}

#[tokio::test]
async fn real_answers_are_as_described() {
    let Some(mut redis) = Redis::start().await else { return };
    let stage = Stage::start(&redis).await;
    let described = description(&stage).await;
    stage.store.create("s", Some("alice"), &Data::from([("n".to_owned(), 1)]), MINUTE).await.unwrap();
    let mut statuses = BTreeSet::new();
    for well in [true, false] {
        if !well {
            stage.store.create("s", None, &Data::new(), MINUTE).await.unwrap();
            redis.kill();
        }
        for (route, path, body) in [
            (Route::Status, "/api/redis/status/", ""),
            (Route::Configuration, "/api/redis/configuration/", ""),
            (Route::Session, "/api/sessions/s/", ""),
            (Route::Session, "/api/sessions/s/?data=true", ""),
            (Route::Session, "/api/sessions/nobody/", ""),
            (Route::Session, "/api/sessions/%00/", ""),
            (Route::Extend, "/api/sessions/s/extend/", "{\"ttl_seconds\": 60}"),
            (Route::Extend, "/api/sessions/s/extend/", "{\"ttl_seconds\": 0}"),
            (Route::Extend, "/api/sessions/nobody/extend/", ""),
            (Route::Count, "/api/sessions/", ""),
            (Route::Health, "/health", ""),
            (Route::Health, "/health?serving=true", ""),
            (Route::Metrics, "/metrics", ""),
            (Route::Description, "/openapi.json", ""),
            (Route::Delete, "/api/sessions/s/delete/", ""),
            (Route::Clear, "/api/sessions/?pattern=*", ""),
            (Route::Clear, "/api/sessions/", ""),
        ] {
            let headers: &[&str] = if body.is_empty() { &[] } else { &["Content-Type: application/json"] };
            let answer = stage.send(route.method().as_str(), path, headers, body.as_bytes()).await;
            fits(&described, route, &answer);
            statuses.insert(answer.status);
        }
    }
    let stranger = Stage { token: None, ..stage };
    fits(&described, Route::Count, &stranger.ask("GET", "/api/sessions/").await);
    assert_eq!(statuses, BTreeSet::from([200, 202, 400, 404, 503]));
}

#[tokio::test]
async fn who_is_asked_for_a_token_is_described() {
    let Some(redis) = Redis::start().await else { return };
    let stage = Stage::with(redis.session_client(1, &quick()), |routes| routes.public([Route::Health])).await;
    let guarded = description(&stage).await;
    assert_eq!(guarded["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(guarded["paths"]["/api/sessions/"]["get"]["security"], json!([{ "bearer": [] }]));
    assert!(guarded["paths"]["/health"]["get"].get("security").is_none());
    let open = Stage::with_access(redis.session_client(2, &quick()), Access::open(), |routes| routes).await;
    assert!(!description(&open).await.to_string().contains("bearer"));
}
