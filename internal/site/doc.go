// Package site is the pages inside the leat binary and the actions behind them:
// live data of this machine, a progress stream, a simulated sensor, quotes, a
// large download, an echo and a chat by WebSocket.
package site
