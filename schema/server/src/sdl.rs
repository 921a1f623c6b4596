//! How a schema is written down, in the repository as everywhere.

use async_graphql::SDLExportOptions;

/// Sorted, so that a change of the schema is a change of its own lines alone.
pub fn options() -> SDLExportOptions {
    SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident()
}
