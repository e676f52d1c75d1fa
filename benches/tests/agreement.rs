//! Before anybody is timed: all contestants mean the same.

use benches::agreement::assert_alike;
use benches::contestant::{Contestant, Name};
use benches::workload::Shape;

/// Some contestants look at every rule, so a larger policy is asked less.
fn all_answer_alike(rules: usize, requests: usize) {
    for shape in Shape::ALL {
        let workload = shape.workload(rules, requests);
        let contestants: Vec<(&str, Box<dyn Contestant>)> = Name::ALL
            .map(|name| (name.as_str(), name.write(&workload).compile().ready(&workload)))
            .into();
        assert_alike(&contestants, &workload, requests);
    }
}

#[test]
fn all_contestants_give_the_same_answers_at_100_rules() {
    all_answer_alike(100, 300);
}

#[test]
fn all_contestants_give_the_same_answers_at_1000_rules() {
    all_answer_alike(1_000, 60);
}

#[test]
fn a_workload_has_the_rules_that_were_ordered() {
    for shape in Shape::ALL {
        assert_eq!(shape.workload(1_000, 0).rules.len(), 1_000);
    }
}
