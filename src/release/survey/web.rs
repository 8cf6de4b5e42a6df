//! A medium on another server: downloaded once and hashed on its way, or known to be what it was.

use std::io::Read;
use std::num::NonZeroUsize;

use super::{Content, Downloads, Order, Problem, read, settle};
use crate::fetch::{Client, Download, Opened, Validators};
use crate::fsx::Part;
use crate::hash::{Progress, Source};
use crate::release::Remote;

/// What stands at `url`, as it is `known` where its server says that it is still that.
pub fn medium(
    order: &Order,
    url: &str,
    known: Option<&Content>,
    client: &Client,
    downloads: &Downloads,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<Content, Problem> {
    // Who wants to keep the file wants the file.
    let asked = known.filter(|_| downloads.keep.is_none());
    match (client.open(url, asked.and_then(validators).as_ref())?, asked) {
        (Opened::Same, Some(known)) => Ok(known.clone()),
        (Opened::Same, None) => Err(Problem::new(format!("{url}: its server says that nothing changed since never"))
            .help("ask whoever runs that server")),
        (Opened::Body(download), _) => hashed(order, download, downloads, threads, progress),
    }
}

fn validators(content: &Content) -> Option<Validators> {
    let remote = content.remote.as_ref()?;
    let [file] = &content.files[..] else { return None };
    // Without them, only reading tells.
    if remote.etag.is_none() && remote.last_modified.is_none() {
        return None;
    }
    Some(Validators { bytes: file.bytes, etag: remote.etag.clone(), last_modified: remote.last_modified.clone() })
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
    if !said.ranges {
        let warning = "its server does not answer ranges of bytes: podcast apps can't seek in it, and torrent clients can't \
                       use it as a web seed";
        content.warnings.push(warning.to_owned());
    }
    // A redirect that is signed ends some day.
    let direct_url = (said.final_url != said.url && !said.final_url.contains('?')).then(|| said.final_url.clone());
    if said.final_url != said.url && direct_url.is_none() {
        let warning = "it is redirected to a URL that is made for the moment; torrent clients that do not follow it have no \
                       web seed";
        content.warnings.push(warning.to_owned());
    }
    let (etag, last_modified, ranges) = (said.etag, said.last_modified, said.ranges);
    content.remote = Some(Remote { direct_url, etag, last_modified, ranges });
    Ok(content)
}
