// Package topic keeps logs of messages and the cursors of their readers.
//
// A topic is a log; a reader is a cursor in the logs of its topics. One sequence
// numbers the messages of all topics of a [Hub], so that one number is a reader's
// position in all of its topics. Pumps, a few goroutines, write to the readers
// what lies between their cursors and the head: nothing is queued for a reader,
// and publishing costs the same whether there are none or many.
//
// It knows no socket: a reader is a [Conn] that takes whole encoded messages as
// far as there is room.
package topic
