//! What shows nothing of anybody, and what every plugin has; and secrets, which nobody is shown.

use hmac::{Hmac, Mac};
use jackfield_domain::plugins::{Capability, FailureKind};
use sha2::Sha256;

use super::{Denial, Done, Run, Told, told, words};
use crate::{
    convert,
    run::Stop,
    wit::jackfield::plugin::{clock, config, log, random, secrets, types::Error},
};

/// More than so many random bytes at once nobody needs.
const RANDOM_MAX: u32 = 4_096;

impl config::Host for Run {
    fn get(&mut self) -> wasmtime::Result<String> {
        self.count()?;
        Ok(self.configuration.as_ref().to_owned())
    }
}

impl log::Host for Run {
    fn write(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        self.count()?;
        Run::log(self, convert::level(level), text);
        Ok(())
    }
}

impl clock::Host for Run {
    fn now(&mut self) -> wasmtime::Result<i64> {
        self.count()?;
        Ok(self.now.0)
    }
}

impl random::Host for Run {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.count()?;
        let mut bytes = vec![0; count.min(RANDOM_MAX) as usize];
        fill(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        self.count()?;
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), Stop> {
    getrandom::fill(bytes).map_err(|error| Stop::new(FailureKind::Hub, format!("no random bytes: {error}")))
}

impl secrets::Host for Run {
    async fn exists(&mut self, name: String) -> Told<bool> {
        told(self.secret(&name).await.map(|secret| secret.is_some()))
    }

    async fn sign(&mut self, name: String, data: Vec<u8>) -> Told<Vec<u8>> {
        told(self.sign_with(&name, &data).await)
    }
}

impl Run {
    async fn secret(&mut self, name: &str) -> Done<Option<Vec<u8>>> {
        self.enter(Capability::Secrets)?;
        Ok(self.bridge.secret(&self.caller, words("the name of a secret", name)?).await?)
    }

    async fn sign_with(&mut self, name: &str, data: &[u8]) -> Done<Vec<u8>> {
        let secret = self.secret(name).await?.ok_or(Denial::Tell(Error::NotFound))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("a key of any length will do");
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}
