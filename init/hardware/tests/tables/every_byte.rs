use std::collections::BTreeSet;

use crate::tables;

/// Types that no edition of a specification assigns, and that real firmware uses all the same.
const UNASSIGNED: &[(&str, u64)] = &[
    // ThinkPad T14s Gen 3: a copy of the table's IVMD block 0x21 under another type.
    ("IVRS", 0x51),
];

#[test]
fn every_byte_of_every_real_table_belongs_to_one_named_field() {
    let mut fields = 0;
    for table in tables() {
        let mut end = 0;
        for field in &table.trace {
            let place = format!("{}: {field:?}", table.path.display());
            assert_eq!(field.offset, end, "a byte before it, or twice: {place}");
            end += field.length;
        }
        assert_eq!(end, table.bytes.len(), "{}", table.path.display());
        fields += table.trace.len();
    }
    println!("{fields} fields");
}

#[test]
fn no_structure_or_entry_of_a_real_table_is_of_a_type_unknown_to_us_but_the_one_that_nobody_knows()
{
    let mut unknown = BTreeSet::new();
    let tables = tables();
    for table in &tables {
        for (field, kind) in table.trace.iter().zip(table.kinds()) {
            if field.name.ends_with("of unknown type") {
                unknown.insert((table.signature.as_str(), kind.unwrap()));
            }
        }
    }
    if !tables.is_empty() {
        assert_eq!(unknown, UNASSIGNED.iter().copied().collect());
    }
}
