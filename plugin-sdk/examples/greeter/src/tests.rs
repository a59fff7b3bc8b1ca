//! The plugin on a hub for tests.

use super::*;

#[test]
fn everybody_is_greeted_once() {
    let hub = MockHub::new();
    hub.configure(json!({"greeting": "Tea?"}));
    let (ann, bob) = (hub.user("Ann"), hub.user("Bob"));
    let tea = hub.conversation(&[&ann, &bob]);
    for (sender, text, greeted) in [(&ann, "Hello.", 1), (&ann, "Milk?", 1), (&bob, "No.", 2)] {
        let message = hub.message(sender, &tea, text);
        hub.after::<Greeter, _>(|plugin| plugin.on_event(hub.event("message_sent", &message))).unwrap();
        assert_eq!(hub.posts().len(), greeted);
    }
    assert!(hub.posts().iter().all(|post| post.body == "Tea?" && post.conversation == tea.id));
}
