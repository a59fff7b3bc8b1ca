//! The plugin as a component, under the limits that it has in a hub. `jackfield` is in the `PATH`, or `JACKFIELD` says where it is.

use jackfield_plugin::prelude::*;

#[test]
fn the_component_refuses_a_word_as_well() {
    let harness = PluginHarness::build(env!("CARGO_MANIFEST_DIR")).unwrap();
    let hub = MockHub::new();
    hub.configure(json!({"words": ["darn"]}));
    let (ann, tea) = hub.conversation_of("Ann");
    let said = |text| harness.before_create(&hub, &hub.draft(&ann, &tea, text));
    assert_eq!(said("Milk?").answer.unwrap(), MessageVerdict::Allow);
    let report = said("Darn!");
    println!("{:?}", report.measures);
    assert_eq!(report.answer.unwrap(), MessageVerdict::reject("WORD_NOT_ALLOWED", "«darn» is not said here."));
    assert!(report.measures.memory_bytes < 4_000_000, "of the 32 MiB that it may have");
}
