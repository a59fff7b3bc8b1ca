//! Which pages of other origins may call the hub.

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// No origin is allowed that is not named. Tokens travel in a header, never in a cookie, so that no credentials are shared.
pub fn layer(origins: &[String]) -> CorsLayer {
    let request_id = HeaderName::from_static("x-request-id");
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, request_id.clone()])
        .expose_headers([request_id, header::RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(3_600))
}
