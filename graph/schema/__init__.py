"""The GraphQL schema: types, inputs, resolvers, pagination and the limits of an operation."""
