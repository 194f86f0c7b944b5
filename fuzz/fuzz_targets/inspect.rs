//! Any value, at any place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::inspect::{Class, Inspector, Location, Sensitivity};

fuzz_target!(|value: &[u8]| {
    let places = [Location::Path, Location::Query, Location::Header, Location::Cookie, Location::Form, Location::Json];
    for location in places {
        let scores = Inspector::all(Sensitivity::Strict).scores(value, location);
        let (default, strict) = (scores.verdict(Sensitivity::Default), scores.verdict(Sensitivity::Strict));
        assert!(default.is_none() || strict.is_some());
        if let Some(verdict) = strict {
            assert!(verdict.offset() <= value.len());
            assert!(!verdict.rule().is_empty());
            assert_eq!(verdict.score(), Class::ALL.map(|class| scores.of(class)).into_iter().max().unwrap());
        }
    }
});
