//! The plugin as a component, under the limits that it has in a hub. `jackfield` is in the `PATH`, or `JACKFIELD` says where it is.

use jackfield_plugin::prelude::*;

#[test]
fn the_component_rolls_as_well() {
    let harness = PluginHarness::build(env!("CARGO_MANIFEST_DIR")).unwrap();
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    let call =
        CommandCall { command: "roll".to_owned(), viewer: ann, conversation: Some(tea.id), arguments: Vec::new() };
    let report = harness.run_command(&hub, &call);
    println!("{:?}", report.measures);
    assert!(report.answer.unwrap().is_ok());
    assert!(hub.posts()[0].body.starts_with("Ann rolls "));
}
