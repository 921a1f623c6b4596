//! `GraphiQL`, bundled by `schema/server/ui/vendor/graphiql/build.sh` and kept gzip'd.

use std::sync::LazyLock;

use super::{Asset, Held, smaller};

macro_rules! packed {
    [$($name:literal),* $(,)?] => {
        &[$((
            concat!("vendor/graphiql/", $name),
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/ui/vendor/graphiql/dist/", $name, ".gz")),
        )),*]
    };
}

const BUNDLE: &[(&str, &[u8])] = include!("../../ui/vendor/graphiql/files.in");

const OURS: &[(&str, &[u8])] = &[
    ("vendor/graphiql/index.html", include_bytes!("../../ui/vendor/graphiql/index.html")),
    ("vendor/graphiql/page.css", include_bytes!("../../ui/vendor/graphiql/page.css")),
    (
        "vendor/graphiql/THIRD-PARTY-LICENSES.txt",
        include_bytes!("../../ui/vendor/graphiql/THIRD-PARTY-LICENSES.txt"),
    ),
];

static ASSETS: LazyLock<Vec<(&str, Asset)>> = LazyLock::new(|| {
    let packed = BUNDLE.iter().map(|&(name, bytes)| (name, Asset::new(name, Held::Packed(bytes))));
    let ours = OURS.iter().map(|&(name, bytes)| (name, Asset::new(name, Held::Plain(bytes, smaller(bytes)))));
    packed.chain(ours).collect()
});

pub(super) fn held(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|(known, _)| *known == name).map(|(_, asset)| asset)
}

#[cfg(test)]
mod tests {
    use super::super::{QueryPage, asset, query_page};
    use super::*;

    #[test]
    fn the_page_is_graphiql_and_all_that_it_names_is_there() {
        let page = query_page(QueryPage::Open).sent(false).bytes;
        let page = std::str::from_utf8(&page).unwrap();
        assert!(page.contains("<title>GraphiQL"));
        let named = page.split('"').filter(|part| part.starts_with("/ui/"));
        assert!(named.map(|path| asset(path).unwrap_or_else(|| panic!("{path}"))).count() >= 3);
    }

    #[test]
    fn every_file_can_be_unpacked_and_lies_in_the_folder() {
        let dist = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/vendor/graphiql/dist");
        assert_eq!(std::fs::read_dir(dist).unwrap().count(), BUNDLE.len());
        for (name, _) in BUNDLE {
            assert!(!held(name).unwrap().sent(false).bytes.is_empty(), "{name}");
        }
    }
}
