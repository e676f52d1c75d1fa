//! Names of vulnerabilities and advisories, told from names of images.

/// What is numbered within a year: `CVE-2021-44228`, `RHSA-2024:1234`, `SUSE-SU-2023:1234-1`.
#[rustfmt::skip]
const YEARLY: [&str; 40] = [
    "alba", "alea", "alsa", "avd", "cesa", "cnnvd", "cnvd", "cve", "drupal-contrib", "drupal-core",
    "elba", "elea", "elsa", "euvd", "gms", "go", "gsd", "hsec", "jlsec", "jvndb", "mal", "mgasa",
    "openeuler-sa", "opensuse-ru", "opensuse-su", "osv", "psf", "pysec", "rhba", "rhea", "rhsa",
    "rlba", "rlea", "rlsa", "rsec", "rustsec", "rxsa", "suse-ou", "suse-ru", "suse-su",
];

/// What is numbered from the beginning: `DSA-5678-1`, `GLSA-202301-01`.
#[rustfmt::skip]
const NUMBERED: [&str; 12] = [
    "asa", "avd", "avd-nvd", "avg", "azl", "dla", "dsa", "dtsa", "glsa", "lsn", "nswg-eco", "usn",
];

/// What goes by letters and digits that say nothing: `GHSA-jfh8-c2jp-5v3q`.
const RANDOM: [&str; 3] = ["cga", "ghsa", "mini"];

/// Whether a word is a name that databases of vulnerabilities give out: those which Trivy, Grype and
/// OSV read. `go-app` and `cve-scanner` are names of images, so its numbers have to be there.
pub(super) fn is_name(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let parts: Vec<&str> = word.split(['-', ':']).collect();
    let is_named = |part: &&str| part.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let kind = match parts.iter().take_while(|part| is_named(part)).count() {
        // Letters come first in a random one, too.
        count if count > 1 && RANDOM.iter().any(|kind| parts.first() == Some(kind)) => 1,
        count => count,
    };
    let (Some(kind), Some(rest)) = (parts.get(..kind), parts.get(kind..)) else { return false };
    let kind = kind.join("-");
    match rest {
        [_, _, _] if RANDOM.contains(&kind.as_str()) => rest.iter().all(|part| is_random(part)),
        // Of Debian, before there is a CVE.
        [number, hash] if kind == "temp" => is_number(number) && is_hex(hash),
        [year, hash] if kind.starts_with("fedora") => is_year(year) && is_hex(hash),
        // Of Amazon Linux, of its extras and versions: `ALAS2-2023-1`, `ALASKERNEL-5.4-2022-1`.
        [version @ .., year, number] if kind.starts_with("alas") => {
            version.iter().all(|it| is_version(it)) && is_year(year) && is_number(number)
        }
        // Of Photon OS.
        [year, version, number] if kind == "phsa" => {
            is_year(year) && is_version(version) && is_number(number)
        }
        // Of a program of Bitnami, and another database's name of a CVE.
        [year, number] if kind.starts_with("bit-") || kind.ends_with("-cve") => {
            is_year(year) && is_number(number)
        }
        [number] if kind.starts_with("snyk-") => is_number(number),
        [year, rest @ ..] if YEARLY.contains(&kind.as_str()) && !rest.is_empty() => {
            is_year(year) && rest.iter().all(|part| is_number(part))
        }
        [_, ..] if NUMBERED.contains(&kind.as_str()) => rest.iter().all(|part| is_number(part)),
        _ => false,
    }
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_year(part: &str) -> bool {
    part.len() == 4 && is_number(part)
}

fn is_version(part: &str) -> bool {
    part.split('.').all(is_number)
}

fn is_hex(part: &str) -> bool {
    part.len() >= 6 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Four of the letters and digits that no word is made of.
fn is_random(part: &str) -> bool {
    part.len() == 4 && part.bytes().all(|byte| b"23456789cfghjmpqrvwx".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_databases_are_told_from_names_of_images() {
        for name in [
            "CVE-2021-44228",
            "cve-2021-44228",
            "GHSA-jfh8-c2jp-5v3q",
            "CGA-xg4f-2h5p-8q9w",
            "GO-2024-2611",
            "GMS-2022-20",
            "PYSEC-2019-132",
            "RUSTSEC-2021-0001",
            "OSV-2020-111",
            "MAL-2024-1",
            "GSD-2021-1002352",
            "DSA-5678-1",
            "DLA-3482-1",
            "USN-6088-1",
            "UBUNTU-CVE-2021-44228",
            "DEBIAN-CVE-2021-44228",
            "ALPINE-CVE-2021-44228",
            "CURL-CVE-2023-38545",
            "TEMP-0841856-B18BAF",
            "TEMP-0290435-0B57B5",
            "RHSA-2024:1234",
            "RHBA-2019:3384",
            "CESA-2020:1234",
            "ELSA-2023-12345",
            "RLSA-2022:7000",
            "ALSA-2022:7000",
            "ALAS-2021-1553",
            "ALAS2-2023-1234",
            "ALAS2023-2023-123",
            "ALASKERNEL-5.4-2022-007",
            "ALAS2LIVEPATCH-2021-041",
            "SUSE-SU-2023:1234-1",
            "openSUSE-SU-2019:2541-1",
            "GLSA-202301-01",
            "MGASA-2023-0001",
            "openEuler-SA-2023-1001",
            "FEDORA-2023-ab12cd34ef",
            "FEDORA-EPEL-2023-ab12cd34ef",
            "PHSA-2023-4.0-0312",
            "BIT-nginx-2023-44487",
            "SNYK-JS-LODASH-567746",
            "NSWG-ECO-428",
            "JVNDB-2021-005429",
            "AVG-2660",
            "AZL-25812",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "-",
            "cve",
            "cve-",
            "cve-2021",
            "cve-scanner",
            "cve-2021-44228-scanner",
            "ghsa-tool",
            "mini-test-data-base",
            "go-app",
            "go-1-22",
            "go-1.22",
            "alas",
            "alas-2",
            "temp-1",
            "temp-2024-01",
            "fedora-40",
            "fedora-minimal-40",
            "opensuse-leap-15",
            "suse-15",
            "bit-2024",
            "bit-coin-2",
            "debian-12",
            "release-2024-01",
            "snyk-2",
            "snyk-cli-v1",
            "usn-api",
            "dsa",
            "app:v1",
            "team/app:2024-01",
            "2021-44228",
            "openssl",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
