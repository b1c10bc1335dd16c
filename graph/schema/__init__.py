"""Everything GraphQL: types, inputs, resolvers, pagination, cost."""
