//! One execution of a subscription that is kept running: an item goes in, the rendered answer comes out.

use std::{sync::Arc, time::Duration};

use async_graphql::Response;
use futures_util::{FutureExt, StreamExt, stream::BoxStream};
use tokio::sync::mpsc;

use super::{
    super::{
        documents::Prepared,
        errors,
        scope::{Moment, Scope},
    },
    Item, Live, Payload, Source, json,
    payload::Room,
};
use crate::{Error, actions::Reader};

/// How long to wait before trying again what the database could not answer.
pub const PAUSE: Duration = Duration::from_millis(500);

pub struct Renderer {
    items: mpsc::Sender<Item>,
    responses: BoxStream<'static, Response>,
    prepared: Prepared,
    scope: Scope,
    room: Arc<Room>,
}

impl Renderer {
    /// Starts the execution, or answers what is wrong with the document.
    pub fn start(live: &Live, prepared: &Prepared, reader: Reader) -> Result<Self, Box<Response>> {
        let (items, source) = mpsc::channel(1);
        let scope = Scope::new(live.core.clone(), reader, prepared.max_answer_bytes);
        let request = prepared.request().data(scope.clone()).data(Source::new(source));
        let mut responses = prepared.executor().execute_stream(request).boxed();
        // A sound subscription waits for its first item; anything it says before that is a complaint.
        match responses.next().now_or_never() {
            None => {
                prepared.found_valid();
                Ok(Renderer { items, responses, prepared: prepared.clone(), scope, room: live.room.clone() })
            }
            Some(Some(response)) => Err(Box::new(response)),
            Some(None) => Err(Box::new(Response::from_errors(Vec::new()))),
        }
    }

    /// Renders an item at a moment. While the database is away, this waits: an event is not skipped because of that.
    ///
    /// What goes wrong is found by the id of the request; where many requests share the answer, it gets one of its own.
    pub async fn render(&mut self, item: Item, moment: &Arc<Moment>, request_id: Option<&str>) -> Payload {
        if let Item::Logged(entry) = &item
            && let Some(message) = &entry.message
        {
            moment.loaders.messages.seed(message.id, message.clone());
        }
        self.scope.begin(moment.clone());
        loop {
            let gone = || Error::internal("the execution of a subscription ended");
            let response = match self.items.send(item.clone()).await {
                Ok(()) => self.responses.next().await.ok_or_else(gone),
                Err(_) => Err(gone()),
            };
            let own = || self.scope.core.clock.new_id().simple().to_string();
            let response =
                response.unwrap_or_else(|error| errors::top_level(&error, &request_id.map_or_else(own, str::to_owned)));
            if response.errors.iter().any(|error| matches!(error.source(), Some(Error::Unavailable(_)))) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            if let Some(refusal) = self.scope.too_long() {
                let id = request_id.map_or_else(own, str::to_owned);
                return json(&errors::bad_request(refusal.code(), refusal.to_string(), &id)).into();
            }
            let mut response = response;
            self.prepared.shape(&mut response);
            if response.errors.is_empty() {
                return self.room.take(json(&response));
            }
            let id = request_id.map_or_else(own, str::to_owned);
            return self.room.take(json(&errors::finish(response, &id)));
        }
    }
}
