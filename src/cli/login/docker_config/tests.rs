use std::fs::Permissions;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use super::*;

const CONFIG: &str = r#"{
	"auths": {
		"registry.example": {
			"auth": "YTpi"
		},
		"gate.example:5443": {
			"auth": "YWxpY2U6c2VjcmV0",
			"email": "alice@example"
		},
		"https://gate.example:5443/v2/": {
			"identitytoken": "pcr_secret"
		}
	},
	"HttpHeaders": { "User-Agent":  "x" },
	"psFormat": "table {{.ID}}\t\u007b",
	"credHelpers": {
		"other.example": "pass"
	},
	"currentContext": "default"
}"#;

fn server() -> Server {
    "https://gate.example:5443".parse().unwrap()
}

#[test]
fn the_helper_is_named_and_nothing_else_changes_but_stored_secrets() {
    let with = with_helper(CONFIG, &server()).unwrap();
    assert_snapshot!(with, @r#"
    {
    	"auths": {
    		"registry.example": {
    			"auth": "YTpi"
    		},
    		"gate.example:5443": {
    			"email": "alice@example"
    		},
    		"https://gate.example:5443/v2/": {}
    	},
    	"HttpHeaders": { "User-Agent":  "x" },
    	"psFormat": "table {{.ID}}\t\u007b",
    	"credHelpers": {
    		"other.example": "pass",
    		"gate.example:5443": "portcullis"
    	},
    	"currentContext": "default"
    }
    "#);
    assert!(!with.contains("secret") && !with.contains("YWxpY2U6c2VjcmV0"));
    assert_eq!(with_helper(&with, &server()).unwrap(), with, "once is enough");
    assert_snapshot!(without_helper(&with, &server()).unwrap(), @r#"
    {
    	"auths": {
    		"registry.example": {
    			"auth": "YTpi"
    		},
    		"gate.example:5443": {
    			"email": "alice@example"
    		}
    	},
    	"HttpHeaders": { "User-Agent":  "x" },
    	"psFormat": "table {{.ID}}\t\u007b",
    	"credHelpers": {
    		"other.example": "pass"
    	},
    	"currentContext": "default"
    }
    "#);
}

#[test]
fn a_configuration_that_is_empty_or_not_there_gets_the_helper_alone() {
    let made = ["", " \n", "{}"].map(|text| with_helper(text, &server()).unwrap());
    assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
    assert_snapshot!(made[0], @r#"
    {
    	"credHelpers": {
    		"gate.example:5443": "portcullis"
    	}
    }
    "#);
    assert_eq!(without_helper(&made[0], &server()).unwrap(), "{}");
}

#[test]
fn what_is_not_ours_is_not_forgotten() {
    for text in ["", "{}", CONFIG, r#"{"credHelpers": {"gate.example:5443": "pass"}}"#] {
        assert_eq!(without_helper(text, &server()).unwrap(), text);
    }
}

#[test]
fn what_docker_did_not_write_is_not_rewritten() {
    for text in ["{", "[]", r#"{"auths": []}"#, r#"{"auths": {"gate.example:5443": 1}}"#] {
        assert!(with_helper(text, &server()).is_err(), "{text}");
    }
    assert!(with_helper(r#"{"a": 1, "a": 2}"#, &server()).is_err());
}

#[test]
fn the_file_keeps_its_mode_and_a_link_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere.json");
    fs::write(&elsewhere, CONFIG).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("config.json");
    symlink(&elsewhere, &link).unwrap();
    DockerConfig(link.clone()).use_helper(&server()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&elsewhere).unwrap(), 0o640);
    assert!(fs::read_to_string(&link).unwrap().contains("\"portcullis\""));
}

#[test]
fn a_new_file_is_its_owners_alone_and_none_is_made_to_forget() {
    let folder = tempfile::tempdir().unwrap();
    let config = DockerConfig(folder.path().join(".docker/config.json"));
    config.forget(&server()).unwrap();
    assert!(!config.0.exists());
    config.use_helper(&server()).unwrap();
    assert_eq!(mode(&config.0).unwrap(), 0o600);
    fs::write(&config.0, "{").unwrap();
    let failure = config.use_helper(&server()).unwrap_err();
    let text = failure.text(false).replace(&folder.path().display().to_string(), "HOME");
    assert_snapshot!(text, @"
    error: HOME/.docker/config.json is not as docker writes it: EOF while parsing an object at line 1 column 1
    help: mend it, or remove it
    ");
}
