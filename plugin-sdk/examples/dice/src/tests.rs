//! The plugin on a hub for tests.

use super::*;

fn roll(hub: &MockHub, viewer: &User, conversation: Option<&Conversation>, sides: Option<f64>) -> CommandAnswer {
    let sides = sides.map(|sides| Argument { name: "sides".to_owned(), value: ArgumentValue::Number(sides) });
    let call = CommandCall {
        command: "roll".to_owned(),
        viewer: viewer.clone(),
        conversation: conversation.map(|conversation| conversation.id.clone()),
        arguments: sides.into_iter().collect(),
    };
    hub.after::<Dice, _>(|plugin| plugin.run_command(call)).unwrap()
}

#[test]
fn what_is_rolled_everybody_sees() {
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    let CommandAnswer::Reply(reply) = roll(&hub, &ann, Some(&tea), Some(2.0)) else { panic!("it is rolled") };
    let rolled = reply.text.unwrap();
    assert!(["You rolled 1.", "You rolled 2."].contains(&rolled.as_str()), "{rolled}");
    assert_eq!(hub.posts()[0].body, rolled.replace("You rolled", "Ann rolls"));
}

#[test]
fn what_cannot_be_rolled_is_refused() {
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    assert!(matches!(roll(&hub, &ann, None, None), CommandAnswer::Refuse(_)));
    for sides in [-1.0, 0.0, 1.0, 1_001.0, f64::NAN] {
        assert!(matches!(roll(&hub, &ann, Some(&tea), Some(sides)), CommandAnswer::Refuse(_)), "{sides}");
    }
    assert!(hub.posts().is_empty());
}
