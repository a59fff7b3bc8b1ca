//! Greets whoever says something for the first time.

use jackfield_plugin::prelude::*;

#[data]
struct Greeter {
    greeting: String,
}

#[plugin]
impl EventHooks for Greeter {
    /// What is issued here is done once, however often the hub has to tell of the event.
    fn on_event(&self, event: Event) -> Result<()> {
        let Some(message) = event.message else { return Ok(()) };
        if kv::increment(&format!("said/{}", message.sender), 1, None)? == 1 {
            messages::say(&message.conversation, &self.greeting)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
