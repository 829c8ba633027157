//! Names of images.

use testcontainers::GenericImage;

/// An image by its name: `registry/name:tag`, `name@sha256:…`, or `name`, which is its `latest`.
pub(crate) fn image(name: &str) -> GenericImage {
    let (name, tag) = split(name);
    GenericImage::new(name, tag)
}

/// The part before the tag, and the tag. A colon before the last slash is that of a port.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => (before, tag),
        Some(_) | None => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_tag_is_what_stands_behind_the_last_colon_of_the_last_part() {
        for (whole, name, tag) in [
            ("kafka", "kafka", "latest"),
            ("apache/kafka:4.1.0", "apache/kafka", "4.1.0"),
            ("here:5000/kafka", "here:5000/kafka", "latest"),
            ("here:5000/kafka:4", "here:5000/kafka", "4"),
            ("kafka@sha256:0a", "kafka@sha256", "0a"),
        ] {
            assert_eq!(split(whole), (name, tag), "{whole}");
        }
    }
}
