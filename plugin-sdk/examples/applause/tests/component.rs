//! The plugin as a component, under the limits that it has in a hub. `jackfield` is in the `PATH`, or `JACKFIELD` says where it is.

use jackfield_plugin::prelude::*;

#[test]
fn the_component_counts_as_well() {
    let harness = PluginHarness::build(env!("CARGO_MANIFEST_DIR")).unwrap();
    let hub = MockHub::new();
    let (ann, bob) = (hub.user("Ann"), hub.user("Bob"));
    let message = hub.message(&ann, &hub.conversation(&[&ann, &bob]), "Bravo!");
    let give = hub.mutation_call(&bob, "applauseGive", &json!({ "messageId": message.id }));
    let report = harness.mutate(&hub, &give);
    println!("{:?}", report.measures);
    assert!(report.answer.unwrap().is_ok());
    let look = hub.field_call(&ann, "Message.applause", &json!({}), &[&message.id]);
    assert_eq!(harness.resolve(&hub, &look).answer.unwrap(), [Ok("1".to_owned())]);
}
