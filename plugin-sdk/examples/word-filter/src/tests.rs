//! The plugin on a hub for tests.

use super::*;

#[test]
fn a_word_of_the_configuration_is_refused_and_others_are_not() {
    let hub = MockHub::new();
    hub.configure(json!({"words": ["darn"]}));
    let (ann, tea) = hub.conversation_of("Ann");
    let said = |text| hub.before::<WordFilter, _>(|plugin| plugin.before_create(hub.draft(&ann, &tea, text))).unwrap();
    assert_eq!(said("Milk?"), MessageVerdict::Allow);
    assert_eq!(said("Darn!"), MessageVerdict::reject("WORD_NOT_ALLOWED", "«darn» is not said here."));
}

#[test]
fn a_configuration_without_words_is_a_failure() {
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    let failure =
        hub.before::<WordFilter, _>(|plugin| plugin.before_create(hub.draft(&ann, &tea, "Milk?"))).unwrap_err();
    assert!(failure.to_string().contains("missing field `words`"), "{failure}");
}
