//! The description of the routes in OpenAPI's form, made from the table of routes and the types of the answers.

use axum::http::Method;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr,
    Required, ResponseBuilder,
};
use utoipa::{IntoParams as _, ToSchema};

use super::access::Access;
use super::answers::{
    AckAnswer, ClearAnswer, ClearOptions, ConfigurationAnswer, CountAnswer, ExtendRequest, HealthOptions,
    SessionAnswer, SessionOptions, StatusAnswer,
};
use super::problem::ErrorAnswer;
use super::route::Route;
use crate::health_check::Health;
use crate::observe::metrics::CONTENT_TYPE;

/// The description of these routes.
pub(super) fn of(routes: &[Route], access: &Access, public: &[Route]) -> String {
    let mut paths = PathsBuilder::new();
    for route in routes {
        let guarded = access.asks() && !public.contains(route);
        let operation = operation(*route, guarded, guarded && access.is_bearer());
        paths = paths.path(route.path(), PathItem::new(method(*route), operation));
    }
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas());
    if access.is_bearer() {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components = components.security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
    let info = InfoBuilder::new().title("Sessions").version(env!("CARGO_PKG_VERSION")).description(Some(
        "Sessions that outlive an outage of Redis. A path that ends in a slash works without it too.",
    ));
    let description = OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build()));
    // Nothing in it fails to be written.
    description.build().to_json().unwrap_or_default()
}

const BEARER: &str = "bearer";

/// The schemas of all bodies, and of what is in them.
fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut found = Vec::new();
    add::<StatusAnswer>(&mut found);
    add::<ConfigurationAnswer>(&mut found);
    add::<SessionAnswer>(&mut found);
    add::<AckAnswer>(&mut found);
    add::<CountAnswer>(&mut found);
    add::<ClearAnswer>(&mut found);
    add::<Health>(&mut found);
    add::<ExtendRequest>(&mut found);
    add::<ErrorAnswer>(&mut found);
    found
}

fn add<A: ToSchema>(found: &mut Vec<(String, RefOr<Schema>)>) {
    found.push((A::name().into_owned(), A::schema()));
    A::schemas(found);
}

fn operation(route: Route, guarded: bool, bearer: bool) -> Operation {
    let about = about(route);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(about.name))
        .summary(Some(about.summary))
        .parameters(Some(parameters(route)));
    for (status, meaning) in about.answers {
        let content = match about.schema {
            Some(schema) => ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))),
            None => ContentBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(about.content_type.1.clone()))),
        };
        let response = ResponseBuilder::new().description(*meaning);
        operation = operation.response(*status, response.content(about.content_type.0, content.build()));
    }
    let asked: &[(&str, &str)] =
        if guarded { &[("401", "nobody knows who asks"), ("403", "whoever asks may not")] } else { &[] };
    for (status, meaning) in about.problems.iter().chain(asked) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorAnswer")));
        let response = ResponseBuilder::new().description(*meaning);
        operation = operation.response(*status, response.content(JSON.0, content.build()));
    }
    if route == Route::Extend {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ExtendRequest")));
        let body = RequestBodyBuilder::new().required(Some(Required::False)).content(JSON.0, content.build());
        operation = operation.request_body(Some(body.build()));
    }
    if bearer {
        operation = operation.security(SecurityRequirement::new(BEARER, [""; 0]));
    }
    operation.build()
}

fn parameters(route: Route) -> Vec<Parameter> {
    let mut parameters = match route {
        Route::Session => SessionOptions::into_params(|| None),
        Route::Clear => ClearOptions::into_params(|| None),
        Route::Health => HealthOptions::into_params(|| None),
        _ => Vec::new(),
    };
    if route.path().contains("{id}") {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(1024));
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        parameters
            .push(id.description(Some("percent-encoded, a slash in it too")).schema(Some(text)).build());
    }
    parameters
}

/// What is said of a route.
struct About {
    name: &'static str,
    summary: &'static str,
    answers: &'static [(&'static str, &'static str)],
    /// By name; `None` for what has no schema of its own.
    schema: Option<&'static str>,
    content_type: (&'static str, Type),
    problems: &'static [(&'static str, &'static str)],
}

const JSON: (&str, Type) = ("application/json", Type::Object);
const BAD: (&str, &str) = ("400", "the request makes no sense");
const ABSENT: (&str, &str) = ("404", "there surely is no such session");
const LARGE: (&str, &str) = ("413", "the body is too large");
const DAMAGED: (&str, &str) = ("500", "what Redis holds under this id is no session, or is damaged");
const REFUSED: (&str, &str) = ("502", "Redis refuses");
const UNKNOWN: (&str, &str) = ("503", "nobody can say just now: ask again after Retry-After");
const UNCERTAIN: (&str, &str) = ("504", "Redis did not answer in time: it may have happened");
const FULL: (&str, &str) = ("507", "no room for what Redis does not know yet");
const TAKEN: &[(&str, &str)] =
    &[("200", "Redis has it"), ("202", "accepted here; it is brought to Redis when that is back")];

fn about(route: Route) -> About {
    let (name, summary, answers, schema) = match route {
        Route::Status => ("status", "How Redis is", FINE, named::<StatusAnswer>()),
        Route::Configuration => {
            ("configuration", "The settings of the client", FINE, named::<ConfigurationAnswer>())
        }
        Route::Session => ("session", "What is known about a session", FINE, named::<SessionAnswer>()),
        Route::Extend => ("extend", "Lets a session live on", TAKEN, named::<AckAnswer>()),
        Route::Delete => {
            ("delete", "Ends a session; it is fine if there is none", TAKEN, named::<AckAnswer>())
        }
        Route::Count => ("count", "How many sessions Redis has", FINE, named::<CountAnswer>()),
        Route::Clear => ("clear", "Ends all sessions that match a pattern", TAKEN, named::<ClearAnswer>()),
        Route::Health => ("health", "How the client and its Redis are doing", HEALTH, named::<Health>()),
        Route::Metrics => ("metrics", "Figures for Prometheus", FINE, None),
        Route::Description => ("description", "This description", FINE, None),
    };
    let problems: &[(&str, &str)] = match route {
        Route::Session => &[BAD, ABSENT, DAMAGED, REFUSED, UNKNOWN, UNCERTAIN],
        Route::Extend => &[
            BAD,
            ABSENT,
            ("408", "the body did not come in time"),
            LARGE,
            ("415", "the body is no JSON"),
            DAMAGED,
            REFUSED,
            UNKNOWN,
            UNCERTAIN,
            FULL,
        ],
        Route::Delete => &[BAD, DAMAGED, REFUSED, UNKNOWN, UNCERTAIN, FULL],
        Route::Count => &[REFUSED, UNKNOWN, UNCERTAIN],
        Route::Clear => &[BAD, REFUSED, UNKNOWN, UNCERTAIN, FULL],
        Route::Health => &[BAD],
        Route::Status | Route::Configuration | Route::Metrics | Route::Description => &[],
    };
    let content_type = if route == Route::Metrics { (CONTENT_TYPE, Type::String) } else { JSON };
    About { name, summary, answers, schema, content_type, problems }
}

const FINE: &[(&str, &str)] = &[("200", "the answer")];
const HEALTH: &[(&str, &str)] =
    &[("200", "healthy, degraded, or serving from memory if that was asked for"), ("503", "down")];

/// The name of a type's schema.
fn named<A: ToSchema>() -> Option<&'static str> {
    let name = std::any::type_name::<A>();
    name.rsplit_once("::").map(|(_, name)| name)
}

fn method(route: Route) -> HttpMethod {
    match route.method() {
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
