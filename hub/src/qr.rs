//! The QR code of a room: on a terminal, and as a file for the printer.

use std::net::SocketAddr;

use qrcode::render::{svg, unicode};
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};
use serde::{Deserialize, Serialize};

/// What somebody needs to come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poster {
    /// The venue's name.
    pub venue: String,
    /// The page with the code, by IP address.
    pub url: String,
    /// The page by the hub's name, for phones that resolve it.
    pub local_url: String,
    /// The code to type where the page asks for it.
    pub code: String,
    /// The code for screens.
    pub rotating: String,
    /// Seconds until it changes.
    pub rotating_changes_in_s: u64,
}

/// The page's URL with the code in its fragment, which no server log ever sees.
pub fn page_url(address: SocketAddr, code: &str) -> String {
    format!("http://{address}/#code={code}")
}

/// The code as text: two modules a character, in colours of its own so that it reads on dark and light terminals.
pub fn for_terminal(url: &str, coloured: bool) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L)?;
    let (ink, paper) = (unicode::Dense1x2::Dark, unicode::Dense1x2::Light);
    // Without colours the terminal is taken to be dark: its ink is the light part of the code.
    let (dark, light) = if coloured { (ink, paper) } else { (paper, ink) };
    let drawn = code.render::<unicode::Dense1x2>().dark_color(dark).light_color(light).build();
    if !coloured {
        return Ok(drawn);
    }
    let lines: Vec<String> = drawn.lines().map(|line| format!("\u{1b}[30;107m{line}\u{1b}[0m")).collect();
    Ok(lines.join("\n"))
}

/// The code as an SVG picture for a screen, as coarse as its length allows.
pub fn for_screen(url: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// The code as an SVG picture for a poster; it still reads with a third of it hidden.
pub fn for_print(url: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(url, EcLevel::H)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(600, 600).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_stands_in_the_fragment_of_an_ip_url() {
        assert_eq!(
            page_url("192.168.1.5:4700".parse().unwrap(), "7K3MQ-X2D9T"),
            "http://192.168.1.5:4700/#code=7K3MQ-X2D9T"
        );
        assert!(page_url("[2001:db8::5]:80".parse().unwrap(), "A").starts_with("http://[2001:db8::5]:80/"));
    }

    #[test]
    fn a_coloured_code_is_the_plain_one_inverted_and_fits_a_terminal() {
        let url = "http://192.168.100.100:4700/#code=7K3MQ-X2D9T";
        let plain = for_terminal(url, false).unwrap();
        let widest = plain.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 45 && plain.lines().count() <= 24, "{widest} x {}", plain.lines().count());
        // The quiet zone around it is ink on a dark terminal, and paper where the colours are ours.
        assert!(plain.starts_with('█'));
        assert!(for_terminal(url, true).unwrap().starts_with("\u{1b}[30;107m "));
    }

    #[test]
    fn the_printed_code_is_a_picture() {
        assert!(for_print("http://192.168.1.5:4700/").unwrap().contains("<svg"));
    }
}
