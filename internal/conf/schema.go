package conf

// object is a JSON object in the making.
type object map[string]any
