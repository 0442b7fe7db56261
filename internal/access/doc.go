// Package access says who may do what with which topics: by tokens, or by
// tickets that stand for one.
//
// A token is a JWT (RFC 7519) with the claims
//
//	{"exp":1796049387,"leat":{"subscribe":["room.*"],"publish":["room.kitchen"]}}
//
// A [Verifier] makes a [Grant] of one. The grant says what its holder may do; a
// pattern is allowed only where one of the token's patterns contains it whole.
package access
