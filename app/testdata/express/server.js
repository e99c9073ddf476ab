// An Express application for TestForeignExpress, with what such applications are usually
// made of. It prints its port and serves until it is killed.
'use strict';
const crypto = require('node:crypto');
const http = require('node:http');
const compression = require('compression');
const express = require('express');
const multer = require('multer');
const { WebSocketServer } = require('ws');

const app = express();
let release = () => {};

// What a proxy adds to a request; everything else must arrive as it was sent.
const added = /^(forwarded|via|x-forwarded-.*|x-real-ip|x-request-id|connection)$/;

function seen(req, res) {
  const lines = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i].toLowerCase();
    if (!added.test(name)) lines.push(`${name}: ${req.rawHeaders[i + 1]}`);
  }
  res.json({ method: req.method, url: req.url, query: req.query, body: req.body, header: lines.sort() });
}

app.get('/cookies', (req, res) => {
  res.cookie('session', 's:äß 1', { httpOnly: true, sameSite: 'lax', path: '/' });
  res.cookie('cart', { seats: ['12C'] }, { expires: new Date('2030-01-01T00:00:00Z'), secure: true });
  res.clearCookie('old');
  res.send(req.headers.cookie || '');
});
app.get('/found', (req, res) => res.redirect('../elsewhere?x=%2F&y=ä#part'));
app.all('/kept', (req, res) => res.redirect(308, `http://${req.headers.host}/seen`));
app.get('/json', (req, res) => res.json({ flight_id: 'AA34', origin_code: 'JFK', destination_code: 'CDG' }));
app.use('/files', express.static(__dirname, { maxAge: '1h' }));
app.get('/large', compression(), (req, res) => res.type('text/plain').send('all work and no play\n'.repeat(20000)));
app.get('/chunked', (req, res) => {
  res.set('Trailer', 'X-Sum');
  for (const part of ['one', 'two'.repeat(50000), 'three']) res.write(part);
  res.addTrailers({ 'X-Sum': 'three parts' });
  res.end();
});
app.get('/hinted', (req, res) => {
  res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
  res.send('after the hints');
});
app.get('/twice', (req, res) => {
  res.append('Link', '<a>; rel=next').append('Link', '<b>; rel=prev').append('X-Empty', '');
  res.vary('Accept').status(299).send(Buffer.from([0, 255, 13, 10, 128]));
});
app.get('/broken', () => { throw new Error('mine'); });
app.get('/refused', (req, res) => res.status(400).json({ errors: ['flight_no is missing'] }));
app.get('/nothing', (req, res) => res.status(204).end());
app.get('/events', (req, res) => {
  res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  res.write('id: 1\ndata: first\n\n');
  release = () => res.end('id: 2\ndata: second\n\n');
});
app.get('/release', (req, res) => { release(); res.status(204).end(); });
app.post('/upload', multer({ limits: { fileSize: 16 << 20, files: 4 } }).any(), (req, res) => {
  const sum = (data) => crypto.createHash('sha256').update(data).digest('hex');
  res.status(201).json({
    fields: { ...req.body },
    files: req.files.map((f) => [f.fieldname, f.originalname, f.mimetype, f.size, sum(f.buffer)]),
  });
});
app.all('/seen', express.json(), express.urlencoded({ extended: true }), seen);

const server = http.createServer(app);
const sockets = new WebSocketServer({ server, path: '/socket' });
sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
