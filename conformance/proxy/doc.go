// Package proxy runs streams through the real proxies whose configurations
// docs/streaming.md recommends.
package proxy
