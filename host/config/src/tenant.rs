//! Which tenants a pipeline is for.

use std::collections::BTreeMap;

use crate::near;
use crate::problem::Findings;
use crate::section::{Layers, Section, printable};

/// The tenants of a pipeline: `None` stands for a pipeline that is for none in particular. So that what else
/// is wrong with it is found too, one whose tenants are all unknown is also read once.
pub(crate) fn tenants<'s>(
    findings: &mut Findings<'_>,
    pipeline: &Section,
    tenants: &'s BTreeMap<String, Section>,
) -> Vec<Option<&'s Section>> {
    let layers = Layers(vec![pipeline]);
    let Some(listed) = layers.names("tenants") else {
        return vec![None];
    };
    let Some(names) = listed.value else {
        if tenants.is_empty() {
            findings.hinted(
                listed.at,
                format!(
                    "pipeline {} is for all tenants, and there are none",
                    pipeline.name
                ),
                "write a section [tenants.NAME] for each tenant",
            );
        }
        let mut all: Vec<&Section> = tenants.values().collect();
        all.sort_by_key(|tenant| tenant.at);
        return or_none(all);
    };
    let mut found = Vec::new();
    for name in names {
        match tenants.get(name) {
            Some(tenant) => found.push(tenant),
            None => findings.hinted(
                listed.at,
                format!("there is no tenant '{}'", printable(name)),
                near::hint(
                    name,
                    tenants.keys().map(String::as_str),
                    "write a section [tenants.NAME] for each tenant",
                ),
            ),
        }
    }
    or_none(found)
}

fn or_none(tenants: Vec<&Section>) -> Vec<Option<&Section>> {
    match tenants.is_empty() {
        true => vec![None],
        false => tenants.into_iter().map(Some).collect(),
    }
}
