//! The plugin on a hub for tests.

use super::*;

#[test]
fn others_clap_and_all_see_how_often() {
    let hub = MockHub::new();
    let (ann, bob) = (hub.user("Ann"), hub.user("Bob"));
    let tea = hub.conversation(&[&ann, &bob]);
    let (one, two) = (hub.message(&ann, &tea, "Bravo!"), hub.message(&ann, &tea, "Milk?"));
    let give = |viewer: &User, message: &str| {
        let call = hub.mutation_call(viewer, "applauseGive", &json!({ "messageId": message }));
        hub.after::<Applause, _>(|plugin| plugin.mutate(call)).unwrap()
    };
    assert_eq!(give(&bob, &one.id), MutationAnswer::Done(json!({ "claps": 1 })));
    assert_eq!(give(&bob, &one.id), MutationAnswer::Done(json!({ "claps": 2 })));
    assert!(matches!(give(&ann, &one.id), MutationAnswer::Refuse(_)));
    assert!(matches!(give(&bob, "msg_of_nobody"), MutationAnswer::Refuse(_)));

    let call = hub.field_call(&ann, "Message.applause", &json!({}), &[&one.id, &two.id]);
    let values = hub.looking::<Applause, _>(|plugin| plugin.resolve(call)).unwrap();
    assert_eq!(values.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [json!(2), json!(0)]);
}
