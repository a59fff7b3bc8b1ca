//! Rolls a die, for everybody to see, when somebody runs the command `/roll`.

use jackfield_plugin::prelude::*;

#[data]
struct Dice {}

const SIDES: f64 = 6.0;

#[plugin]
impl CommandHooks for Dice {
    fn run_command(&self, call: CommandCall) -> Result<CommandAnswer> {
        let Some(place) = &call.conversation else {
            return Ok(CommandAnswer::refuse("NOT_HERE", "Roll it where others see it."));
        };
        let sides = match call.argument("sides") {
            Some(ArgumentValue::Number(sides)) => *sides,
            _ => SIDES,
        };
        if !(2.0..=1_000.0).contains(&sides) {
            return Ok(CommandAnswer::refuse("NO_DIE", "A die has from 2 to 1,000 sides."));
        }
        let rolled = random::number() % sides as u64 + 1;
        messages::say(place, format!("{} rolls {rolled}.", call.viewer.name))?;
        Ok(CommandAnswer::say(format!("You rolled {rolled}.")))
    }
}

#[cfg(test)]
mod tests;
