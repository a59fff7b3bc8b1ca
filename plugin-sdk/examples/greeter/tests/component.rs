//! The plugin as a component, under the limits that it has in a hub. `jackfield` is in the `PATH`, or `JACKFIELD` says where it is.

use jackfield_plugin::prelude::*;

#[test]
fn the_component_greets_as_well() {
    let harness = PluginHarness::build(env!("CARGO_MANIFEST_DIR")).unwrap();
    let hub = MockHub::new();
    hub.configure(json!({"greeting": "Welcome!"}));
    let (ann, tea) = hub.conversation_of("Ann");
    let events = vec![hub.event("message_sent", &hub.message(&ann, &tea, "Hello."))];
    let report = harness.on_events(&hub, &EventBatch { events, attempt: 1 });
    println!("{:?}", report.measures);
    assert_eq!(report.answer.unwrap(), Ok(()));
    assert_eq!(hub.posts()[0].body, "Welcome!");
}
