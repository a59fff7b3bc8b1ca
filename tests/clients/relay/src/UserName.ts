import { graphql } from 'relay-runtime';

export const user = graphql`
  fragment UserName_user on User {
    name
    role
  }
`;
