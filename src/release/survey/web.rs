//! A medium on another server: downloaded once and hashed on its way, or known to be what it was.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;

use super::{Answer, Content, Downloads, Order, Problem, read, settle};
use crate::fetch::{Client, Download, Opened, Validators};
use crate::fsx::Part;
use crate::hash::{Progress, Source};
use crate::release::Remote;

/// What stands at `url`: one of those that are `known` where its server says that it is still that.
pub fn medium(
    order: &Order,
    url: &str,
    known: &[Content],
    client: &Client,
    downloads: &Downloads,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<Answer, Problem> {
    let kept = downloads.keep.as_ref().map(|folder| folder.join(&order.name));
    // Who wants to keep the file wants the file.
    let is_wanted = kept.as_ref().is_some_and(|kept| !kept.exists());
    let (known, validators): (Vec<_>, Vec<_>) =
        known.iter().filter(|_| !is_wanted).filter_map(|content| Some((content, validators(content)?))).unzip();
    match client.open(url, &validators)? {
        Opened::Same { known: index, final_url } => {
            let mut content = known[index].clone();
            if let Some(kept) = kept {
                held(order, &kept, &content, threads, progress)?;
            }
            let (direct_url, warning) = direct(url, &final_url);
            content.warnings.extend(warning.filter(|warning| !content.warnings.iter().any(|known| known == warning)));
            content.remote = content.remote.map(|remote| Remote { direct_url, ..remote });
            Ok(Answer { content, is_read: false })
        }
        Opened::Body(download) => {
            Ok(Answer { content: hashed(order, download, downloads, threads, progress)?, is_read: true })
        }
    }
}

/// Validators of `content`; without them only reading tells.
fn validators(content: &Content) -> Option<Validators> {
    let remote = content.remote.as_ref()?;
    let [file] = &content.files[..] else { return None };
    let validators =
        Validators { bytes: file.bytes, etag: remote.etag.clone(), last_modified: remote.last_modified.clone() };
    (validators.etag.is_some() || validators.last_modified.is_some()).then_some(validators)
}

fn hashed(
    order: &Order,
    download: Download,
    downloads: &Downloads,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<Content, Problem> {
    let said = download.remote().clone();
    let piece_length = settle(order, &[said.bytes])?;
    if said.bytes == 0 {
        return Err(Problem::new(format!("{}: is empty (0 bytes)", said.url)).help("put the whole file there"));
    }
    let part = downloads.keep.as_ref().map(|folder| Part::create(folder, &order.name)).transpose()?;
    let reader: Box<dyn Read + Send> = match &part {
        Some(part) => Box::new(part.tee(download)?),
        None => Box::new(download),
    };
    let mut sources = [Source::stream(&said.url, said.bytes, reader)];
    let mut content = read::files(order, &mut sources, piece_length, threads, progress)?;
    part.map(Part::commit).transpose()?;
    let (direct_url, warning) = direct(&said.url, &said.final_url);
    content.warnings.extend(warning);
    let (etag, last_modified, ranges) = (said.etag, said.last_modified, said.ranges);
    content.remote = Some(Remote { direct_url, etag, last_modified, ranges });
    Ok(content)
}

/// Whether the file that was kept at `path` is what is known.
fn held(
    order: &Order,
    path: &Path,
    known: &Content,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<(), Problem> {
    let source = Source::open(path)?;
    let is_same = known.files.iter().all(|file| file.bytes == source.bytes())
        && read::files(order, &mut [source], known.piece_length, threads, progress)?.hashes == known.hashes;
    if is_same {
        return Ok(());
    }
    Err(Problem::at(path, "is there already, with other bytes").help("move it away, and it is downloaded again"))
}

/// The URL at the end of redirects, where it is another one that will do as a web seed; else why it will not.
fn direct(url: &str, final_url: &str) -> (Option<String>, Option<String>) {
    if final_url == url {
        return (None, None);
    }
    // A redirect that is signed ends some day.
    if final_url.contains('?') {
        let warning = "it is redirected to a URL that is made for the moment; torrent clients that do not follow it have no \
                       web seed";
        return (None, Some(warning.to_owned()));
    }
    (Some(final_url.to_owned()), None)
}
