// Downloads a torrent with WebTorrent in Node: download_webtorrent.mjs FOLDER BYTES_PER_SECOND TORRENT_OR_MAGNET
//
// It ends when all files are there and the tracker has been told.

import { createRequire, register } from 'node:module'
import { pathToFileURL } from 'node:url'

// What speaks to browsers is compiled when it is installed, which nothing here is; none are met.
const webrtc = 'export const RTCPeerConnection = undefined, RTCSessionDescription = undefined, RTCIceCandidate = undefined'
const hook = `
  const url = 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(webrtc)})
  export const resolve = (name, context, next) =>
    name === 'webrtc-polyfill' ? { url, shortCircuit: true } : next(name, context)`
register('data:text/javascript,' + encodeURIComponent(hook))

const [folder, limit, wanted] = process.argv.slice(2)
// A module of this kind is looked for beside the script alone, and it is where NODE_PATH says.
const place = createRequire(import.meta.url).resolve('webtorrent')
const { default: WebTorrent } = await import(pathToFileURL(place))

const client = new WebTorrent({ dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false })
if (Number(limit)) client.throttleDownload(Number(limit))
const failed = error => {
  console.error(error)
  process.exit(1)
}
client.on('error', failed)
const torrent = client.add(wanted, { path: folder })
torrent.on('warning', warning => console.log('warning', String(warning)))
torrent.on('wire', (wire, address) => console.log('wire', wire.type, address))
torrent.on('done', () => {
  console.log('done')
  client.destroy(error => error ? failed(error) : process.exit(0))
})
