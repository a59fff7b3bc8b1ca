//! Requests to other servers: looked at here, and made by the hub. Those that are sent are effects; one that is fetched is waited for.

use std::{sync::Arc, time::Duration};

use jackfield_domain::plugins::{
    Capability, Effect, FETCHES_A_CALL, REQUESTS_A_CALL, REQUESTS_WAITING, Request, check_tag,
};

use super::{Denial, Done, Run, Told, invalid, told};
use crate::{
    convert::http as convert,
    run::Stage,
    wit::jackfield::plugin::{
        http::{self, Failure, Response},
        types::Error,
    },
};

/// So long a request may take, and what the hub needs to see that it has.
const FETCH: Duration = Duration::from_millis(5_500);

impl http::Host for Run {
    async fn send(&mut self, request: http::Request, tag: String) -> Told<()> {
        told(self.send_request(convert::meant(request), tag).await)
    }

    async fn fetch(&mut self, request: http::Request) -> Told<Result<Response, Failure>> {
        told(self.fetch_now(convert::meant(request)).await)
    }
}

impl Run {
    async fn send_request(&mut self, request: Request, tag: String) -> Done<()> {
        self.enter_outside(&request)?;
        self.may_have_effects()?;
        check_tag(&tag).map_err(invalid)?;
        let is_one = |effect: &&Effect| matches!(effect, Effect::Request { .. });
        let issued = self.issued.effects.iter().filter(is_one).count();
        if issued >= REQUESTS_A_CALL {
            let what = format!("one call has at most {REQUESTS_A_CALL} requests sent");
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        let waiting = match self.requests_waiting {
            Some(waiting) => waiting,
            None => Arc::clone(&self.bridge).requests_waiting(&self.caller).await?,
        };
        self.requests_waiting = Some(waiting);
        if waiting + issued as u64 >= REQUESTS_WAITING {
            let what = format!("at most {REQUESTS_WAITING} requests wait for their answers");
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        let bytes = request.bytes() + tag.len();
        self.issue_effect(Effect::Request { request, tag }, bytes)?;
        Ok(())
    }

    async fn fetch_now(&mut self, request: Request) -> Done<Result<Response, Failure>> {
        self.enter_outside(&request)?;
        if self.stage != Stage::Awaited {
            return Err(Denial::Tell(Error::NotHere));
        }
        if self.fetched >= FETCHES_A_CALL {
            let what = format!("one call waits for at most {FETCHES_A_CALL} answers");
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        self.fetched += 1;
        self.hand_over(request.bytes())?;
        let bridge = Arc::clone(&self.bridge);
        // That a server takes its time is not held against the plugin.
        let excuse = self.meter.excuse(FETCH);
        let answered = bridge.fetch(&self.caller, &request, &self.grants.reach()).await;
        drop(excuse);
        Ok(convert::answered(answered?))
    }

    /// Counts the call, and answers whether the plugin may have this asked at all. Where its name leads, and where the server
    /// sends on, is looked at when it is asked.
    fn enter_outside(&mut self, request: &Request) -> Done<()> {
        self.count()?;
        let reach = self.grants.reach();
        if reach.is_nowhere() {
            let (one, other) = (Capability::Http.as_str(), Capability::FetchPublicUrl.as_str());
            let what = format!("neither `{one}` nor `{other}` is granted");
            return Err(Denial::Tell(Error::Denied(what)));
        }
        let url = request.check().map_err(invalid)?;
        let passage = reach.allows(request.method, &url).map_err(|why| Denial::Tell(Error::Denied(why)))?;
        if request.secret_headers.is_empty() {
            return Ok(());
        }
        if passage != jackfield_domain::plugins::Passage::Granted {
            return Err(Denial::Tell(Error::Denied("secrets are sent to origins that were granted alone".to_owned())));
        }
        if !self.grants.capabilities.contains(&Capability::Secrets) {
            let what = format!("the capability `{}` is not granted", Capability::Secrets.as_str());
            return Err(Denial::Tell(Error::Denied(what)));
        }
        for header in &request.secret_headers {
            if !self.manifest.secrets.iter().any(|secret| secret.name == header.secret) {
                let name = crate::convert::cut(&header.secret);
                return Err(invalid(format!("the manifest has no secret «{name}»")));
            }
        }
        Ok(())
    }
}
