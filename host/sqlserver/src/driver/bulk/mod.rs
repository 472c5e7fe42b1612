//! Bulk loads past the driver (MS-TDS 2.2.6.1): the caller writes the stream, a task of its own sends it.

mod packets;

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::transport::Wire;
use super::{Client, Fuse, Rows, failure};
use crate::endpoint::Endpoint;
use crate::error::Result;
use packets::PacketWriter;

/// How much of the stream is passed on at a time, in bytes.
pub(crate) const PART: usize = 256 << 10;
/// One part is being written by the caller, one is on the wire, one waits.
const PARTS: usize = 3;
/// A buffer that a large value has made larger than this is let go.
const LARGEST_KEPT: usize = 4 * PART;

/// An open bulk load. While it is open its connection does nothing else; dropping it closes the connection,
/// and the server forgets what came.
pub(crate) struct BulkLoad {
    /// The part that the caller is writing.
    pub(crate) part: Vec<u8>,
    sender: mpsc::Sender<Part>,
    empty: mpsc::Receiver<Vec<u8>>,
    /// Buffers that came back before they were needed.
    spare: Vec<Vec<u8>>,
    /// Parts that are with the writer.
    sent: usize,
    writer: JoinHandle<io::Result<()>>,
    endpoint: Endpoint,
    open: OpenLoad,
}

enum Part {
    More(Vec<u8>),
    Last(Vec<u8>),
}

/// Blows the fuse where the load does not come to its end.
struct OpenLoad(Option<Arc<Fuse>>);

impl Drop for OpenLoad {
    fn drop(&mut self) {
        if let Some(fuse) = self.0.take() {
            fuse.blow();
        }
    }
}

impl Client {
    /// Opens the bulk load that the INSERT BULK statement announces.
    pub(crate) async fn begin_bulk(&mut self, statement: &str) -> Result<BulkLoad> {
        self.batch(statement).await?;
        let (sender, parts) = mpsc::channel(1);
        let (back, empty) = mpsc::channel(PARTS);
        let writer = tokio::spawn(write(self.wire.clone(), parts, back));
        let buffer = || Vec::with_capacity(PART + PART / 8);
        Ok(BulkLoad {
            part: buffer(),
            sender,
            empty,
            spare: (1..PARTS).map(|_| buffer()).collect(),
            sent: 0,
            writer,
            endpoint: self.endpoint.clone(),
            open: OpenLoad(Some(Arc::clone(&self.fuse))),
        })
    }

    /// Ends a load of this connection's; the number of rows that the server took.
    pub(crate) async fn finish_bulk(&mut self, mut load: BulkLoad) -> Result<u64> {
        let part = std::mem::take(&mut load.part);
        // What the writer says counts, should it be gone.
        let _ = load.sender.send(Part::Last(part)).await;
        let BulkLoad { writer, open, .. } = load;
        written(writer.await, &self.endpoint)?;
        let request = self.fuse.begin()?;
        let mut open = open;
        open.0 = None;
        let mut answer = Rows::new(self.wire.clone(), request, &self.endpoint, LARGEST_KEPT);
        while answer.next(1, 1).await?.is_some() {}
        Ok(answer.affected())
    }
}

impl BulkLoad {
    /// Passes the part on and gives an empty one in its place; waits while the wire is busy with the parts
    /// before. A part that a large value has made large is not held beside another one: it is on its way when this
    /// returns.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn pass_on(&mut self) -> Result<()> {
        let part = std::mem::take(&mut self.part);
        let most = match part.len() > LARGEST_KEPT {
            true => 0,
            false => PARTS - 1,
        };
        let mut writing = self.sender.send(Part::More(part)).await.is_ok();
        self.sent += 1;
        while writing && self.sent > most {
            match self.empty.recv().await {
                Some(buffer) => {
                    self.spare.push(buffer);
                    self.sent -= 1;
                }
                None => writing = false,
            }
        }
        match self.spare.pop() {
            Some(part) if writing => {
                self.part = part;
                Ok(())
            }
            // The writer ends early only where it failed.
            _ => {
                written((&mut self.writer).await, &self.endpoint)?;
                Err(failure::from_io(
                    &io::ErrorKind::BrokenPipe.into(),
                    &self.endpoint,
                ))
            }
        }
    }
}

fn written(
    result: std::result::Result<io::Result<()>, tokio::task::JoinError>,
    endpoint: &Endpoint,
) -> Result<()> {
    let result = result.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|error| failure::from_io(&error, endpoint))
}

/// Sends the parts of a message as they come and hands the buffers back.
async fn write(
    mut wire: Wire,
    mut parts: mpsc::Receiver<Part>,
    back: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let mut packets = PacketWriter::new(wire.packet_size());
    while let Some(part) = parts.recv().await {
        match part {
            Part::More(mut part) => {
                packets.write(&mut wire, &part).await?;
                part.clear();
                part.shrink_to(if part.capacity() > LARGEST_KEPT {
                    PART
                } else {
                    part.capacity()
                });
                // There is room for all; nobody may be waiting any more.
                let _ = back.try_send(part);
            }
            Part::Last(part) => {
                packets.write(&mut wire, &part).await?;
                return packets.finish(&mut wire).await;
            }
        }
    }
    // Abandoned: the end of the message is never written.
    Err(io::ErrorKind::BrokenPipe.into())
}
