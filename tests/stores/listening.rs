//! Hearing what a server answers: the only way to learn a token that a client keeps to itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

/// Passes connections on to a server, and remembers all that it answers.
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listening {
    /// Begins to listen, for as long as the runtime lives.
    pub(super) async fn to(server: SocketAddr) -> Listening {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::default());
        let hearing = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, Arc::clone(&hearing)));
            }
        });
        Listening { address, heard }
    }

    /// The values of a field in the JSON that was answered.
    pub(super) fn values_of(&self, field: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let text = String::from_utf8_lossy(&heard);
        let name = format!("\"{field}\"");
        let values = text.split(name.as_str()).skip(1);
        values.filter_map(|rest| rest.split('"').nth(1)).map(str::to_owned).collect()
    }
}

async fn pass(client: TcpStream, server: SocketAddr, heard: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        heard.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to_client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
