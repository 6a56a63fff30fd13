//! No ordering without a name, no name without a mutant, no mutant without an argument.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use loom_tests::mutants::{self, UNMODELLED};
use loom_tests::sites::{Found, read, scan, source};

fn found() -> Found {
    scan(&source()).expect("the ring's sources")
}

#[test]
fn every_ordering_goes_through_the_shim_under_a_name() {
    let strays = found().strays;
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn every_site_stands_once_and_has_a_mutant() {
    let mut sites = BTreeMap::new();
    for site in found().sites {
        *sites.entry(site.name).or_insert(0) += 1;
    }
    let mut known = BTreeMap::new();
    let unmodelled = UNMODELLED.iter().map(|site| site.site);
    for name in mutants::ALL.iter().map(|mutant| mutant.site).chain(unmodelled) {
        *known.entry(name.to_owned()).or_insert(0) += 1;
    }
    // A name that occurs twice is wrong on either side: a mutant weakens exactly one place.
    assert!(sites.len() > 12, "only {} sites found", sites.len());
    assert!(sites.values().all(|&count| count == 1), "a name is used at two places: {sites:?}");
    assert_eq!(sites, known, "left: in the source, right: in the list of mutants");
}

#[test]
fn sites_without_a_model_are_covered_otherwise() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for unmodelled in UNMODELLED {
        for covered in unmodelled.covered {
            let there = match covered.split_once("::") {
                None => here.join("litmus").join(covered).is_file(),
                Some((file, test)) => fs::read_to_string(here.join("..").join(file))
                    .is_ok_and(|text| text.contains(&format!("fn {test}("))),
            };
            assert!(there, "{}: no {covered}", unmodelled.site);
        }
        assert!(!unmodelled.covered.is_empty() && !unmodelled.why.is_empty());
    }
}

#[test]
fn every_site_is_argued_in_the_protocol() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let text = fs::read_to_string(path).expect("docs/protocol.md");
    for site in found().sites {
        assert!(text.contains(&format!("| **{}** |", site.name)), "docs/protocol.md does not argue {}", site.name);
    }
}

#[test]
fn the_scan_finds_sites_and_strays() {
    let mut found = Found::default();
    let text = "
        // fence(\"N1\", Ordering::Acquire) is a comment
        fence(\"A1\", Ordering::Acquire);
        word.store_ordered(
            \"A2\",
            Ordering::Release,
            1,
        );
        if version(\"no\") && on(\"A3\") {}
        fence(name, Ordering::SeqCst);
        other.swap(1, Ordering::AcqRel); // and an AtomicU64 in a comment
        use std::sync::atomic::AtomicU64;
        let loom = \"a word like any other\";
        #[cfg(all(unix, not(loom)))]
        #[cfg(test)]
        mod tests { fence(\"N2\", Ordering::Acquire); }
        #[cfg(all(test, not(loom)))]
        #[expect(unused)]
        mod tests {
            mod inner {
                fence(\"N3\", Ordering::Acquire);
            }
            #[cfg(loom)]
        }
        fence(\"A4\", Ordering::Acquire);
    ";
    read("x.rs", text, &mut found);
    let names: Vec<_> = found.sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["A1", "A2", "A3", "A4"]);
    assert_eq!(found.strays.len(), 6, "{:#?}", found.strays);
}

#[test]
fn code_that_depends_on_being_modelled_is_seen_wherever_it_stands() {
    let strays = |file: &str, text: &str| {
        let mut found = Found::default();
        read(file, text, &mut found);
        found.strays.len()
    };
    for text in ["if cfg!(loom) {", "#[cfg_attr(loom, path = \"x\")]", "#[cfg(not(any(miri, loom)))]"] {
        assert_eq!(strays("x.rs", text), 1, "{text}");
        assert_eq!(strays("x.rs", &format!("#[cfg(test)]\nmod tests {{\n}}\n{text}")), 1, "{text} after tests");
        assert_eq!(strays("protocol/copy.rs", text), 0, "{text}");
        assert_eq!(strays("transport/copy.rs", text), 1, "a file of the same name elsewhere: {text}");
    }
    assert_eq!(strays("x.rs", "#[cfg(all(test, not(loom)))]\nmod tests {\n}"), 0);
}

#[test]
fn a_file_with_atomics_of_its_own_names_its_orderings() {
    let mut found = Found::default();
    let text = "
        static A: AtomicU64 = AtomicU64::new(0);
        A.load(Ordering::Relaxed);
        A.load(ordered(\"A1\", Ordering::Acquire));
        A.swap(1, Ordering::AcqRel);
        use crate::sync::Ordering::Acquire;
    ";
    read("memory/guard.rs", text, &mut found);
    assert_eq!(found.sites.len(), 1, "{:?}", found.sites);
    assert_eq!(found.strays.len(), 2, "{:#?}", found.strays);
}
